import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-code.ts';
import type { Story } from '../story.ts';
import { openResourceDesk, type ResourceDesk } from './desk.ts';

let desk: ResourceDesk;
let story: Story;

beforeAll(async () => {
  desk = await openResourceDesk();
  story = desk.story;
});

afterAll(async () => {
  await desk.close();
});

describe('mintmark machine', () => {
  it('activates, lists, shows, changes, sends a heartbeat and gives the seat back', async () => {
    const license = String((await desk.createLicense())['id']);
    const create = ['machine', 'create', license, '--fingerprint', 'press-3:4d1f9a22', '--platform', 'linux'];
    const machine = await story.data([...create, '--hostname', 'press-3', '--components', '{"cpu":"x"}']);
    const id = String(machine['id']);
    expect(machine).toMatchObject({ licenseId: license, platform: 'linux' });
    expect(await story.data(create)).toMatchObject({ id });
    const rows = await story.rows(['machine', 'list', '--license-id', license]);
    expect(rows.map((row) => row['id'])).toEqual([id]);
    await story.data(['machine', 'update', id, '--name', 'press 3']);
    expect(await story.data(['machine', 'show', id])).toMatchObject({ name: 'press 3' });
    const { code } = await story.run(['machine', 'heartbeat', id]);
    expect(code).toBe(EXIT.ok);
    const second = await story.data(['machine', 'create', license, '--fingerprint', 'press-4:00000000']);
    await story.refused(
      ['machine', 'create', license, '--fingerprint', 'press-5:00000000'],
      'MACHINE_LIMIT_EXCEEDED',
    );
    expect(await story.text(['machine', 'delete', String(second['id'])])).toMatch(/^freesAt: +2/);
  });
});

describe('mintmark machine create --components', () => {
  it('takes the file that `fingerprint --json` wrote', async () => {
    const license = String((await desk.createLicense())['id']);
    const components = { board: 'b-1', disk: null };
    writeFileSync(desk.at('machine.json'), JSON.stringify({ fingerprint: 'x', components, missing: [] }));
    const create = ['machine', 'create', license, '--fingerprint', 'press-6:4d1f9a22'];
    const machine = await story.data([...create, '--components', desk.at('machine.json')]);
    expect(machine).toMatchObject({ fingerprint: 'press-6:4d1f9a22' });
    await story.data([
      'machine',
      'heartbeat',
      String(machine['id']),
      '--components',
      desk.at('machine.json'),
    ]);
    const asked = await story.run([...create, '--components', desk.at('absent.json')]);
    expect([asked.code, asked.stderr]).toEqual([
      EXIT.usage,
      expect.stringContaining('absent.json cannot be read as JSON'),
    ]);
  });
});

describe('the stories', () => {
  it('have used every command', () => {
    desk.expectAllTold('machine');
  });
});

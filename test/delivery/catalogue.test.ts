import { describe, expect, it } from 'vitest';
import { listTree, readTree } from '../../scripts/tree.ts';
import {
  EVENT_TYPES,
  EVENT_WILDCARDS,
  EVENTS,
  type EventRow,
  eventsNamed,
} from '../../src/delivery/index.ts';

const rows = Object.entries<EventRow>(EVENTS);
const source = readTree(
  listTree().filter((path) => path.startsWith('src/') && path !== 'src/delivery/catalogue.ts'),
)
  .map(({ text }) => text)
  .join('\n')
  // The ledger has names of its own for what happens; some of them are the same.
  .replaceAll(/\baction: '[a-z_.-]+'/g, '');

describe('the catalogue', () => {
  it('names every event as <group>.<what happened>, once', () => {
    expect(EVENT_TYPES.filter((type) => !/^[a-z_]+\.[a-z_]+$/.test(type))).toEqual([]);
    expect(new Set(EVENT_TYPES).size).toBe(EVENT_TYPES.length);
    expect(EVENT_TYPES).toContain('license.batch_created');
  });

  it('says of every event what happened and what it holds', () => {
    expect(rows.filter(([, { about, data }]) => !/^[A-Z].*\.$/.test(about) || data === '')).toEqual([]);
  });

  it.each(rows)('says rightly whether %s is announced', (type, { emitted }) => {
    expect(source.includes(`'${type}'`)).toBe(emitted);
  });

  it('has a wildcard for all events and one for each group', () => {
    expect(EVENT_WILDCARDS[0]).toBe('*');
    expect(EVENT_WILDCARDS).toContain('license.*');
    expect(EVENT_WILDCARDS.slice(1).flatMap(eventsNamed).toSorted()).toEqual(EVENT_TYPES.toSorted());
  });

  it.each([
    ['*', EVENT_TYPES],
    ['machine.*', EVENT_TYPES.filter((type) => type.startsWith('machine.'))],
    ['license.created', ['license.created']],
    ['license', []],
    ['license.', []],
    ['.*', []],
    ['licen*', []],
    ['license.*.created', []],
    ['', []],
  ])('takes %j for what it stands for and nothing else', (name, types) => {
    expect(eventsNamed(name)).toEqual(types);
  });
});

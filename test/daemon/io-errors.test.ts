import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CALLS,
  countCalls,
  type IoError,
  type IoErrorRun,
  noIoErrors,
  POINTS,
  runWith,
  type Template,
  template,
} from '../campaigns/io-errors.ts';
import { temporaryDirectory } from '../support/daemon.ts';

const missing = noIoErrors();
if (missing !== undefined) console.warn(`I/O errors are not tested here: ${missing}`);

/** `npm run test:io-errors` sets more: every call there is. */
const MOST = Number(process.env['CAMPAIGN_POINTS'] ?? '18');

const directory = temporaryDirectory();
afterAll(() => {
  directory[Symbol.dispose]();
});

describe.skipIf(missing !== undefined)('an I/O error of the database', () => {
  let made: Template;
  beforeAll(async () => {
    made = await template(join(directory.path, 'template'));
  });

  it('ends the process without an answer, at whichever call it comes; a restart has all that was answered', async () => {
    const counts = await countCalls(made);
    for (const call of CALLS) {
      for (const nth of spread(counts.get(call) ?? 0, MOST / CALLS.length))
        await expectFailStop(made, { by: 'strace', call, nth });
    }
  });

  it('is not met after the last call', async () => {
    const counts = await countCalls(made);
    const beyond = { by: 'strace', call: 'fsync', nth: 10 * (counts.get('fsync') ?? 0) } as const;
    const run = await runWith(made, beyond);
    expect(run).toMatchObject({
      met: false,
      exitCode: 0,
      acknowledged: 6,
      refused: [],
      lost: [],
      problems: [],
    });
  });

  it.each(POINTS)('%s of the C library ends the process without an answer', async (call) => {
    for (const after of [0, 3]) await expectFailStop(made, { by: 'fiu', call, after });
  });
});

async function expectFailStop(made: Template, error: IoError): Promise<void> {
  const run: IoErrorRun = await runWith(made, error);
  expect(run, JSON.stringify(error)).toMatchObject({ met: true, refused: [], lost: [], problems: [] });
  expect(run.exitCode, JSON.stringify(error)).not.toBe(0);
}

/** At most `most` of the numbers from 1 to `last`, evenly. */
function spread(last: number, most: number): number[] {
  expect(last).toBeGreaterThan(0);
  const count = Math.min(last, Math.max(2, Math.floor(most)));
  const step = count === 1 ? 0 : (last - 1) / (count - 1);
  return [...new Set(Array.from({ length: count }, (_, i) => Math.round(1 + i * step)))];
}

import { describe, expect, it } from 'vitest';
import { listTree, readTree } from '../../scripts/tree.ts';
import { forcesCheckpoint } from '../../src/ledger/index.ts';

/** Every action that the source writes into the ledger by name. */
function actionsInSource(): string[] {
  const files = readTree(listTree().filter((path) => path.startsWith('src/') && path.endsWith('.ts')));
  return files.flatMap(({ text }) =>
    [...text.matchAll(/action: (?:[a-z]+ \? )?'([a-z_-]+\.[a-z_]+)'(?: : '([a-z_-]+\.[a-z_]+)')?/g)].flatMap(
      ([, name = '', otherwise]) => (otherwise === undefined ? [name] : [name, otherwise]),
    ),
  );
}

describe('actions that are signed before the answer', () => {
  it('are all that concern keys, restores and the clock, under the names they are written with', () => {
    const forced = [...new Set(actionsInSource())].filter(forcesCheckpoint).sort();
    expect(forced).toEqual([
      'api_key.created',
      'api_key.revoked',
      'api_key.rotated',
      'api_key.updated',
      'appliance.initialised',
      'appliance.sealed',
      'appliance.unsealed',
      'clock.trusted',
      'data_key.destroyed',
      'data_key.rotated',
      'instance.accepted',
      'kek.replaced',
      'kek.replacing',
      'restore.accepted',
      'restore.completed',
      'row.accepted',
      'signing_key.activated',
      'signing_key.compromised',
      'signing_key.copy_checked',
      'signing_key.created',
      'signing_key.moved',
      'signing_key.retired',
      'signing_key.retiring',
      'slot.added',
      'slot.removed',
      'slot.replaced',
      'slot.tested',
      'slot.used',
    ]);
  });

  it('are written like all others: a noun of letters and underscores', () => {
    expect(actionsInSource().filter((name) => name.includes('-'))).toEqual([]);
  });
});

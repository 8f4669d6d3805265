import { holdEpochs } from '../issuing/index.ts';
import { append } from '../ledger/index.ts';
import type { Authority } from '../storage/entry.ts';
import { type SettingName, settingColumns, writeSetting } from '../storage/settings-store.ts';
import type { Parts } from './parts.ts';

const BRANCH_BYTES = 8;

/** Why a branch begins. */
export interface NewBranch {
  readonly action: 'restore.completed' | 'restore.accepted' | 'instance.accepted';
  /** Personal text; stays sealed. */
  readonly reason?: string;
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
  /** Settings that change with it. */
  readonly settings: Readonly<Partial<Record<SettingName, string>>>;
}

/**
 * Begins a branch, in one unit: file numbers of another life of this appliance are never given again, whatever was restored or
 * copied how often. The entry names the head that it grew from. What is open goes on with the old branch: it is to be closed.
 * @returns the new branch
 */
export async function beginBranch(parts: Parts, authority: Authority, why: NewBranch): Promise<string> {
  const { work, random, identity, ledger, realms } = parts;
  const branch = random.bytes(BRANCH_BYTES).toString('hex');
  const parent = ledger.anchor();
  const { action, reason, settings, facts } = why;
  await work.run(authority, (tx) => {
    writeSetting(tx, 'branch', branch);
    for (const [name, value] of Object.entries(settings)) writeSetting(tx, name as SettingName, value); // keys of NewBranch
    for (const realm of realms.all()) holdEpochs(tx.in(realm), tx.now);
    append(tx, {
      ...{ action, target: { kind: 'appliance', id: identity.applianceId } },
      after: settingColumns(tx),
      facts: {
        ...{ branch, parent: identity.branch, size: parent.size, root: parent.root.toString('hex') },
        ...facts,
      },
      ...(reason === undefined ? {} : { private: { reason } }),
    });
  });
  return branch;
}

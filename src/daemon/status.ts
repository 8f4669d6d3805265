import { readFileSync } from 'node:fs';
import { firstLedgerKey, formatVerifierKey } from '../ledger/index.ts';
import { licenseKeysDue } from '../issuing/index.ts';
import { isoTime } from '../lib/clock.ts';
import { present } from '../lib/invariant.ts';
import { readJobState } from '../storage/job-state-store.ts';
import type { Parts } from './parts.ts';
import { heldSweeps } from './sweep-routes.ts';

/** The version that package.json names. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version; // our own file

/** What `mintmark status` shows. */
export async function readStatus(parts: Parts) {
  const { identity, directory, work, time, checkpointer, keyring, custody, config } = parts;
  const disk = await parts.disk.check();
  const clock = time.check();
  const checkpoint = checkpointer.status();
  const held = parts.states();
  const backup = backupStatus(parts, config.backup.warnAfterDays);
  return {
    version: VERSION,
    applianceId: identity.applianceId,
    branch: identity.branch,
    dev: identity.dev,
    state: held.length === 0 ? 'ready' : held.map(({ state }) => state).join(', '),
    reasons: held.map(({ state, reason, since, leftBy }) => ({
      state,
      reason,
      since: isoTime(since),
      leftBy,
    })),
    directory: directory.paths.root,
    disk,
    database: { walPages: directory.database.pendingFrames(), waiting: work.waiting },
    clock: { state: clock.state, trusted: isoTime(clock.trusted), wall: isoTime(clock.wall) },
    ledger: {
      entries: checkpoint.size,
      signed: checkpoint.signedSize,
      lastCheckpoint: checkpoint.signedAt === undefined ? null : isoTime(checkpoint.signedAt),
      firstKey: formatVerifierKey(firstLedgerKey({ reader: work.read, origin: identity.origin })),
      unsignedSeconds: Math.round((checkpoint.unsignedForMs ?? 0) / 1000),
    },
    signingKeys: keyring.list().length,
    custodians: custody
      .health()
      .map(({ custodian, health: { state, detail } }) => ({ custodian, state, detail })),
    slots: custody.listSlots(),
    heldSweeps: heldSweeps(parts),
    backup,
    warnings: [
      ...withoutCopy(parts),
      ...keyring.unfound().map(({ kid, reason }) => `signing key ${kid} was not found: ${reason}`),
      ...oldKeys(parts),
      ...directory.warnings,
      ...(backup.warning === null ? [] : [backup.warning]),
    ],
  };
}

/** Keys that are in one token and nowhere else, for as long as it is so. */
function withoutCopy({ keyring }: Parts): string[] {
  const lacking = keyring.inTokens().filter((key) => keyring.lacksCopy(key)).length;
  if (lacking === 0) return [];
  return [
    `${String(lacking)} signing keys are in one token and in no other: copy them with the tool of its vendor, then mintmark hsm copies`,
  ];
}

const DAY_MS = 86_400_000;

/** Licence keys that have signed for so long that somebody should think of rotating them. */
function oldKeys({ keyring, time, config, realms }: Parts): string[] {
  const reminderMs = config.signingKeys.reminderDays * DAY_MS;
  return licenseKeysDue({ keyring, time, reminderMs }).map(({ kid, realm, notBefore }) => {
    const { tenantCode, environment } = realms.name(present(realm, 'a licence key belongs to a realm'));
    const since = isoTime(notBefore).slice(0, 10);
    return `licence key ${kid} of ${tenantCode} ${environment} signs since ${since}: think of \`mintmark keys rotate\``;
  });
}

/** When the last verified backup was made, and whether that is too long ago. */
function backupStatus({ work, time }: Parts, warnAfterDays: number) {
  const state = readJobState(work.read, 'backup');
  if (state === undefined) return { last: null, warning: 'no backup was ever made' };
  const at = Number(state);
  const days = Math.floor((time.now() - at) / DAY_MS);
  return {
    last: isoTime(at),
    warning: days > warnAfterDays ? `the last backup is ${String(days)} days old` : null,
  };
}

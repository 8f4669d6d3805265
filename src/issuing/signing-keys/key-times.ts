import type { KeyPurpose, SigningKey } from '../../custody/index.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import { activateKey } from './activate-key.ts';
import type { KeyCaller } from './change-keys.ts';
import { inPlace } from './key-plans.ts';
import { noteReminded, remindedAt } from './reminder-store.ts';
import { rotateKey, type RotateKeyDeps } from './rotate-key.ts';

/** What is done with keys by time. */
export interface KeyTimesDeps extends RotateKeyDeps {
  readonly random: Random;
  /** Age at which a licence key is reminded of, milliseconds. */
  readonly reminderMs: number;
  /** Age at which other keys get a successor, milliseconds; null: never by itself. */
  readonly rotateMs: number | null;
}

/** Name under which keys that are due become active. */
export const ACTIVATE_JOB = 'activate-signing-keys';
/** Name under which keys are rotated by age. */
export const ROTATE_JOB = 'rotate-signing-keys';
/** Name under which licence keys are reminded of. */
export const REMIND_JOB = 'remind-signing-keys';

/** Purposes whose keys nobody has compiled in: a licence key is never rotated by age, and a root and the ledger's key neither. */
const BY_AGE: readonly KeyPurpose[] = ['revocation', 'response', 'token'];

/** Has every key take over that was announced for a time that has come. */
export async function activateDueKeys(deps: KeyTimesDeps): Promise<void> {
  const now = deps.time.now();
  const due = deps.keyring.list().filter(({ activatesAt }) => activatesAt !== null && activatesAt <= now);
  for (const { kid } of due) await activateKey(deps, callerOf(deps, ACTIVATE_JOB), { kid, versions: null });
}

/** Announces a successor for each key that is old enough, if that is configured. */
export async function rotateByAge(deps: KeyTimesDeps): Promise<void> {
  const { rotateMs, keyring } = deps;
  if (rotateMs === null) return;
  const keys = keyring.list();
  const due = keys.filter((key) => BY_AGE.includes(key.purpose) && isOld(deps, key, rotateMs));
  for (const key of due) {
    if (inPlace(keys, key, 'pending') !== undefined) continue;
    await rotateKey(deps, callerOf(deps, ROTATE_JOB), { kid: key.kid, versions: null, now: false });
  }
}

/** Licence keys that have signed for so long that somebody should think of rotating them. */
export function licenseKeysDue(deps: Pick<KeyTimesDeps, 'keyring' | 'time' | 'reminderMs'>): SigningKey[] {
  return deps.keyring.list().filter((key) => key.purpose === 'license' && isOld(deps, key, deps.reminderMs));
}

/** Tells of licence keys that are due, and again each time after as long. */
export async function remindOfKeys(deps: KeyTimesDeps): Promise<void> {
  for (const { kid, realm, purpose, algorithm, state } of licenseKeysDue(deps)) {
    const last = remindedAt(deps.work.read, kid);
    if (realm === null || (last !== null && deps.time.now() - last < deps.reminderMs)) continue;
    await deps.work.keep(REMIND_JOB, (tx) => {
      noteReminded(tx, kid);
      const data = { kid, purpose, algorithm, status: state };
      deps.outbox.emit(tx, { type: 'signing_key.rotation_due', realm, data });
    });
  }
}

function isOld({ time }: Pick<KeyTimesDeps, 'time'>, key: SigningKey, ageMs: number): boolean {
  return key.state === 'active' && time.now() - key.notBefore >= ageMs;
}

function callerOf({ time, random }: KeyTimesDeps, job: string): KeyCaller {
  const at: EpochMs = time.now();
  const actor = { kind: 'system', id: job, via: 'job' } as const;
  return { actor, requestId: newId('request', at, random), realm: null };
}

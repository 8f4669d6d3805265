import type { Sealer } from '../../custody/sealer.ts';
import type { SigningKey } from '../../custody/index.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { openPersonal } from '../../licensing/index.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { type FileOfKey, filesOfKey, licensesAfter, type LicenseRow } from './affected-store.ts';
import type { KeyDeps } from './change-keys.ts';
import { requireKey } from './key-plans.ts';

/** What looking for the files of a key needs. */
export interface ListAffectedDeps extends Pick<KeyDeps, 'work' | 'keyring' | 'time'> {
  readonly sealer: Sealer;
}

/** A licence that has files of a key: whom to notify, and of what. */
export interface Affected {
  readonly licenseId: string;
  readonly productId: string;
  readonly name: string | null;
  readonly userName: string | null;
  readonly userEmail: string | null;
  /** Files of the key, in all and of those that have not expired. */
  readonly files: number;
  readonly filesLiving: number;
  /** Of a compromised key: those issued since it may have been in other hands. */
  readonly filesSince: number;
  readonly lastIssuedAt: string;
  readonly machineIds: readonly string[];
}

/** One part of the report. */
export interface AffectedPage {
  readonly rows: readonly Affected[];
  /** How many licences were looked at for it. */
  readonly licensesSeen: number;
  /** Where the next part begins; null: that was all. */
  readonly next: number | null;
}

const ANY = ['pending', 'active', 'retiring', 'retired', 'compromised'] as const;
/** Licences looked through for one part: some milliseconds of reading. */
const LICENSES_A_PART = 200;

/**
 * The licences that have files of one key, in parts; a part may be empty and not the last.
 * @throws Fault NOT_FOUND
 */
export function listAffected(
  deps: ListAffectedDeps,
  { kid, after }: { readonly kid: string; readonly after: number },
): AffectedPage {
  const key = requireKey(deps.keyring.list(), { kid, versions: null }, ANY);
  // Keys of a tenant and of the appliance sign no files.
  if (key.realm === null) return { rows: [], licensesSeen: 0, next: null };
  const reader = deps.work.read.in(key.realm);
  const licenses = licensesAfter(reader, after, LICENSES_A_PART);
  const of = { key, reader, realm: key.realm, now: deps.time.now() };
  const rows = licenses.flatMap((license) => affected(deps, of, license));
  const last = licenses.length < LICENSES_A_PART ? undefined : licenses.at(-1);
  return { rows, licensesSeen: licenses.length, next: last?.seq ?? null };
}

interface Of {
  readonly key: SigningKey;
  readonly reader: RealmReader;
  readonly realm: RealmId;
  readonly now: EpochMs;
}

function affected(
  { sealer }: ListAffectedDeps,
  { key, reader, realm, now }: Of,
  license: LicenseRow,
): Affected[] {
  const files = filesOfKey(reader, license.id, key.kid);
  const last = files.at(-1);
  if (last === undefined) return [];
  const { name, userName, userEmail } = openPersonal(sealer, realm, license);
  const count = (fits: (file: FileOfKey) => boolean): number => files.filter(fits).length;
  const { compromisedSince } = key;
  return [
    {
      ...{ licenseId: license.id, productId: license.productId, name, userName, userEmail },
      files: files.length,
      filesLiving: count(({ expiresAt }) => expiresAt > now),
      filesSince: compromisedSince === null ? 0 : count(({ issuedAt }) => issuedAt >= compromisedSince),
      lastIssuedAt: isoTime(last.issuedAt),
      machineIds: [...new Set(files.flatMap(({ machineId }) => machineId ?? []))],
    },
  ];
}

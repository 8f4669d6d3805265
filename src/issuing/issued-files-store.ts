import { signsNow } from '../custody/keyring.ts';
import { countDay, dayOf } from '../licensing/index.ts';
import type { EpochMs } from '../lib/clock.ts';
import type { DecidingColumns } from '../storage/journal.ts';
import { statement } from '../storage/statement.ts';
import type { Reader, RealmReader, RealmTx } from '../storage/tx.ts';

/**
 * What was issued: the two certificates, a compact token (bound to a machine or not), a signed key. All of them are files
 * to whoever counts, lists and revokes them.
 */
export type IssuedKind = 'license' | 'machine' | 'token' | 'signed-key';

/** A file as it is remembered: never its content, which only its owner has. */
export interface IssuedFile {
  readonly id: string;
  readonly kind: IssuedKind;
  /** Which life of the appliance issued it, and its number there. */
  readonly branch: string;
  readonly branchSeq: number;
  readonly licenseId: string;
  readonly machineId: string | null;
  readonly fingerprintHash: Buffer | null;
  readonly kid: string;
  /** SHA-256 of `enc`, or of the signed text of a token or key: proves of any file found outside whether it is this one. */
  readonly digest: Buffer;
  readonly issuedAt: EpochMs;
  readonly expiresAt: EpochMs;
}

/** A file in a list, with its sort key. */
export interface ListedFile extends Omit<IssuedFile, 'fingerprintHash'> {
  readonly seq: number;
}

const INSERT = statement<IssuedFile>()((db, p) =>
  db.insertInto('issued_files').values({
    realm_id: p.realm,
    id: p.id,
    kind: p.kind,
    branch: p.branch,
    branch_seq: p.branchSeq,
    license_id: p.licenseId,
    machine_id: p.machineId,
    fingerprint_hash: p.fingerprintHash,
    kid: p.kid,
    digest: p.digest,
    issued_at: p.issuedAt,
    expires_at: p.expiresAt,
  }),
);

const PAGE = statement<{ licenseId: string; before: number; limit: number }>()((db, p) =>
  db
    .selectFrom('issued_files')
    .select([
      'seq',
      'id',
      'kind',
      'branch',
      'branch_seq as branchSeq',
      'license_id as licenseId',
      'machine_id as machineId',
      'kid',
      'digest',
      'issued_at as issuedAt',
      'expires_at as expiresAt',
    ])
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(p.limit),
);

const KEY_STATE = statement<{ kid: string }>()((db, p) =>
  db.selectFrom('signing_keys').select('state').where('kid', '=', p.kid).where('purpose', '=', 'license'),
);

/** Remembers a file, in the unit that issues it. */
export function insertIssuedFile(tx: RealmTx, file: IssuedFile): void {
  tx.run(INSERT, file);
  countDay(tx, { kind: 'file', day: dayOf(file.expiresAt), name: '' }, 1);
}

/** Files of a licence and of its machines, newest first. */
export function pageOfFiles(
  reader: RealmReader,
  licenseId: string,
  page: { readonly before: number; readonly limit: number },
): ListedFile[] {
  return reader.all(PAGE, { licenseId, before: page.before, limit: page.limit });
}

/**
 * Whether a licence key signs at present. What else becomes of it is no reason to sign anew: a key that begins to retire signs for the
 * products that name it.
 */
export function licenseKeySigns(reader: Reader, kid: string): boolean {
  const row = reader.get(KEY_STATE, { kid });
  return row !== undefined && signsNow({ purpose: 'license', state: row.state });
}

/** What the ledger's digests of a file cover. */
export function fileDecides(file: IssuedFile): DecidingColumns {
  const { id, kind, branch, branchSeq, licenseId, machineId, kid, issuedAt, expiresAt } = file;
  const digest = file.digest.toString('hex');
  const fingerprintHash = file.fingerprintHash?.toString('hex') ?? null;
  const holder = { licenseId, machineId, fingerprintHash };
  return { id, kind, branch, branchSeq, ...holder, kid, digest, issuedAt, expiresAt };
}

import { isoTime, type EpochMs } from '../lib/clock.ts';
import type { Environment } from './file-meta.ts';
import { prepareJws, type PreparedJws } from './jws.ts';
import { entryOfDigest, entryOfId } from './revocations/sorted-entries.ts';
import type { SigningKeyRef } from './signature-algorithm.ts';

/** What a list says beside its entries. */
interface ListTerms {
  readonly tenantCode: string;
  readonly environment: Environment;
  /** Counts up with every list. */
  readonly number: number;
  readonly issuedAt: EpochMs;
  readonly nextUpdateAt: EpochMs;
  /** Files issued under a lower epoch are refused without being named. */
  readonly minEpoch: number;
}

/** A key whose files are refused, except those that our ledger knows. */
export interface RevokedKey {
  readonly kid: string;
  /** SHA-256 of the `enc` of each file that stays good (`PreparedFile.encDigest`). */
  readonly affirmedEncDigests: readonly Buffer[];
}

/** Everything a revocation list says. Ids are given plain; the list carries only their digests. */
export interface RevocationListFacts extends ListTerms {
  readonly fileIds: readonly string[];
  readonly licenseIds: readonly string[];
  readonly machineIds: readonly string[];
  readonly grantIds: readonly string[];
  readonly keys: readonly RevokedKey[];
}

/** The same with its entries as they will stand: made by `entryOfId` and `entryOfDigest`, sorted (ASCII), each once. */
export interface RevocationListEntries extends ListTerms {
  readonly files: readonly string[];
  readonly licenses: readonly string[];
  readonly machines: readonly string[];
  readonly grants: readonly string[];
  readonly keys: readonly { readonly kid: string; readonly affirmed: readonly string[] }[];
}

/** `typ` of a revocation list; the only one a `revocation` key signs. */
export const REVOCATION_LIST_TYP = 'mm-crl+jws';

/** Lays out a revocation list (docs/formats/revocation-list.md) from ids. Pure. */
export function prepareRevocationList(facts: RevocationListFacts, signingKey: SigningKeyRef): PreparedJws {
  const list: RevocationListEntries = {
    ...facts,
    files: sorted(facts.fileIds.map(entryOfId)),
    licenses: sorted(facts.licenseIds.map(entryOfId)),
    machines: sorted(facts.machineIds.map(entryOfId)),
    grants: sorted(facts.grantIds.map(entryOfId)),
    keys: facts.keys.map(({ kid, affirmedEncDigests }) => {
      return { kid, affirmed: sorted(affirmedEncDigests.map(entryOfDigest)) };
    }),
  };
  return layOutRevocationList(list, signingKey);
}

/** Lays out a revocation list of entries that are sorted already. Pure. */
export function layOutRevocationList(list: RevocationListEntries, signingKey: SigningKeyRef): PreparedJws {
  return prepareJws(signingKey, REVOCATION_LIST_TYP, {
    v: 1,
    tenant: list.tenantCode,
    env: list.environment,
    number: list.number,
    issued: isoTime(list.issuedAt),
    nextUpdate: isoTime(list.nextUpdateAt),
    minEpoch: list.minEpoch,
    files: list.files,
    licenses: list.licenses,
    machines: list.machines,
    grants: list.grants,
    keys: list.keys,
  });
}

const sorted = (entries: readonly string[]): string[] => [...new Set(entries)].sort();

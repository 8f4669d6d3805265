import { createHash } from 'node:crypto';
import { isoTime, type EpochMs } from '../lib/clock.ts';
import type { Environment } from './file-meta.ts';
import { prepareJws, type PreparedJws } from './jws.ts';
import type { SigningKeyRef } from './signature-algorithm.ts';

/** A key whose files are refused, except those that our ledger knows. */
export interface RevokedKey {
  readonly kid: string;
  /** SHA-256 of the `enc` of each file that stays good (`PreparedFile.encDigest`). */
  readonly affirmedEncDigests: readonly Buffer[];
}

/** Everything a revocation list says. Ids are given plain; the list carries only their digests. */
export interface RevocationListFacts {
  readonly tenantCode: string;
  readonly environment: Environment;
  /** Counts up with every list. */
  readonly number: number;
  readonly issuedAt: EpochMs;
  readonly nextUpdateAt: EpochMs;
  /** Files issued under a lower epoch are refused without being named. */
  readonly minEpoch: number;
  readonly fileIds: readonly string[];
  readonly licenseIds: readonly string[];
  readonly machineIds: readonly string[];
  readonly grantIds: readonly string[];
  readonly keys: readonly RevokedKey[];
}

/** `typ` of a revocation list; the only one a `revocation` key signs. */
export const REVOCATION_LIST_TYP = 'mm-crl+jws';

const ENTRY_BYTES = 16;

/** Lays out a revocation list (docs/formats/revocation-list.md). Pure. */
export function prepareRevocationList(facts: RevocationListFacts, signingKey: SigningKeyRef): PreparedJws {
  return prepareJws(signingKey, REVOCATION_LIST_TYP, {
    v: 1,
    tenant: facts.tenantCode,
    env: facts.environment,
    number: facts.number,
    issued: isoTime(facts.issuedAt),
    nextUpdate: isoTime(facts.nextUpdateAt),
    minEpoch: facts.minEpoch,
    files: entries(facts.fileIds),
    licenses: entries(facts.licenseIds),
    machines: entries(facts.machineIds),
    grants: entries(facts.grantIds),
    keys: facts.keys.map(({ kid, affirmedEncDigests }) => ({ kid, affirmed: affirmed(affirmedEncDigests) })),
  });
}

/** Digests instead of ids: whoever finds a list learns nothing but how many are on it. */
function entries(ids: readonly string[]): string[] {
  return sorted(ids.map((id) => createHash('sha256').update(`mm-crl/${id}`, 'utf8').digest()));
}

const affirmed = (digests: readonly Buffer[]): string[] => sorted(digests);

/** Shortened, as base64url, each once, in the order of their characters (ASCII). */
function sorted(digests: readonly Buffer[]): string[] {
  const texts = new Set(digests.map((digest) => digest.subarray(0, ENTRY_BYTES).toString('base64url')));
  return [...texts].sort((a, b) => (a < b ? -1 : 1));
}

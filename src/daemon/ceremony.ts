import { createHash } from 'node:crypto';
import { prepareTenant, storeTenant } from '../access/index.ts';
import {
  APPLIANCE_SCOPE,
  demandSentence,
  type KeyEvidence,
  type KeySource,
  type NewKey,
  NO_COPY,
  TENANT_KEYS,
  type TokenIdentity,
  type TokenKeys,
} from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { prepareJws, prepareTenantTrust } from '../issuing/index.ts';
import { append } from '../ledger/index.ts';
import { type EpochMs, isoTime } from '../lib/clock.ts';
import { present } from '../lib/invariant.ts';
import type { Authority } from '../storage/entry.ts';
import { NO_LIMITS } from '../storage/realms.ts';
import {
  type CeremonyConfig,
  ceremonyDigest,
  type PlannedKey,
  plannedKey,
  readCeremony,
} from './ceremony-config.ts';
import { featureDeps } from './features.ts';
import type { Parts } from './parts.ts';

/** `typ` of the record. */
export const CEREMONY_TYP = 'mm-ceremony+jws';

/** A key of a ceremony, as the record has it. */
export interface CeremonyKey {
  readonly purpose: string;
  readonly environment: string | null;
  readonly kid: string;
  readonly algorithm: string;
  readonly publicKey: string;
  readonly label: string;
  /** Made in this run; false: an earlier one made it and was ended. */
  readonly madeNow: boolean;
  readonly attributes: KeyEvidence;
  /** PKCS#11 URI of the token whose copy has signed; `none`: nowhere, which was accepted; null: not there yet. */
  readonly copy: string | null;
}

/** What a ceremony came to. */
export interface CeremonyResult {
  /** `planned`: a dry run. `waiting`: keys are made and not copied; run it again when they are. `held`: it is over. */
  readonly state: 'planned' | 'waiting' | 'held';
  /** SHA-256 of the file, in hex. */
  readonly digest: string;
  readonly token: TokenIdentity;
  readonly steps: readonly string[];
  readonly keys: readonly CeremonyKey[];
  /** The signed record, compact JWS; null until it is over. */
  readonly record: string | null;
}

interface Made {
  readonly shown: CeremonyKey;
  readonly planned: PlannedKey;
  readonly key: NewKey;
}

interface Held {
  readonly config: CeremonyConfig;
  readonly digest: string;
  readonly identity: TokenIdentity;
}

/** Appliances in which one is being held: two would make the same keys. */
const busy = new WeakSet<Parts['custody']>();

/**
 * Holds a ceremony: makes the keys of a new tenant in the token, reads back what the token says of each, proves the copies on
 * the second token, and makes the tenant.
 *
 * 1. File, module and token are those that were reviewed. 2. Each key is made, or found if an earlier run made it. Stop here:
 * the token holds keys that nothing names, and the next run of the same file finds them. 3. Each copy signs. 4. The record is
 * signed by the ledger key. 5. One unit stores tenant, keys and record: before its commit nothing has happened.
 * @throws Fault CONFIG_INVALID, VALIDATION_FAILED, CONFLICT, SIGNER_UNAVAILABLE
 */
export async function holdCeremony(
  parts: Parts,
  authority: Authority,
  { file, dryRun }: { readonly file: string; readonly dryRun: boolean },
): Promise<CeremonyResult> {
  if (busy.has(parts.custody)) throw new Fault('CONFLICT', 'another ceremony is being held');
  busy.add(parts.custody);
  try {
    const config = readCeremony(file);
    if (config.withoutCopy !== undefined) demandSentence(config.withoutCopy);
    const digest = ceremonyDigest(file);
    const planned = planOf(parts, digest);
    const identity = await demandReviewed(config, planned.tokenKeys);
    const held = { config, digest, identity };
    if (parts.realms.byCode(config.tenant.code, 'live') !== undefined) throw taken(config);
    const steps = stepsOf(held, planned.keys);
    const told = { digest, token: identity, steps };
    if (dryRun) return { ...told, state: 'planned', keys: [], record: null };
    const made: Made[] = [];
    for (const key of planned.keys) made.push(await makeKey(parts, planned.tokenKeys, { key, held }));
    const keys = made.map(({ shown }) => shown);
    if (keys.some(({ copy }) => copy === null)) return { ...told, state: 'waiting', keys, record: null };
    const record = await conclude(parts, authority, { ...held, made });
    return { ...told, state: 'held', keys, record };
  } finally {
    busy.delete(parts.custody);
  }
}

/** The keys of the tenant that are made in a token; the others are made when they are needed, as always. */
function planOf({ keyring }: Parts, digest: string) {
  const inToken = TENANT_KEYS.filter(({ purpose }) => keyring.makerOf(purpose).tokenKeys !== null);
  const [first] = inToken;
  if (first === undefined)
    throw new Fault('CONFIG_INVALID', 'no key would be made in a token: see custody.custodian');
  const tokenKeys = present(keyring.makerOf(first.purpose).tokenKeys, 'it was looked at a line above');
  return { tokenKeys, keys: inToken.map((place) => plannedKey(digest, place)) };
}

async function demandReviewed(config: CeremonyConfig, tokenKeys: TokenKeys): Promise<TokenIdentity> {
  const identity = await tokenKeys.identity();
  const { serial, moduleSha256, module } = identity;
  if (serial !== config.serial)
    throw new Fault(
      'CONFIG_INVALID',
      `the token has the serial ${serial}, and the ceremony is for ${config.serial}`,
    );
  if (config.moduleSha256 !== undefined && config.moduleSha256 !== moduleSha256)
    throw new Fault(
      'CONFIG_INVALID',
      `${module} is not the module that was reviewed: its SHA-256 is ${moduleSha256}`,
    );
  return identity;
}

function stepsOf({ config, identity }: Held, keys: readonly PlannedKey[]): string[] {
  return [
    `use token ${identity.token} (${identity.serial}) through ${identity.module}`,
    ...keys.map(({ purpose, environment, id }) => {
      return `make mintmark/${purpose}/${id.toString('hex')}${environment === null ? '' : `, for ${environment}`}`;
    }),
    config.withoutCopy === undefined
      ? 'have the copy of each sign on the second token'
      : 'accept that a key is in no second token',
    'sign the record with the ledger key',
    `make tenant ${config.tenant.code} (${config.tenant.name}) with these keys`,
  ];
}

async function makeKey(
  { keyring, log }: Parts,
  tokenKeys: TokenKeys,
  { key: planned, held: { config } }: { readonly key: PlannedKey; readonly held: Held },
): Promise<Made> {
  const { purpose, environment, id } = planned;
  const { name: custodian } = keyring.makerOf(purpose);
  const wanted = await keyring.algorithmFor(purpose);
  const { handle, found } = await tokenKeys.make({ purpose, algorithm: wanted }, id);
  if (handle.algorithm !== wanted) throw notFromInside(handle.kid);
  const attributes = await tokenKeys.evidence(handle);
  demandInside(attributes, { found, kid: handle.kid });
  log.info('ceremony: a key is in the token', { kid: handle.kid, purpose, found });
  const copy = await copyOf(tokenKeys, handle, config.withoutCopy !== undefined);
  const { kid, algorithm, publicKey } = handle;
  const label = `mintmark/${purpose}/${id.toString('hex')}`;
  const named = { purpose, environment, kid, algorithm, publicKey: publicKey.toString('base64'), label };
  return {
    planned,
    key: { custodian, handle, copy },
    shown: { ...named, madeNow: !found, attributes, copy },
  };
}

/**
 * One that was found could have been brought from outside by whoever has the PIN and the file: only a token that says that it
 * was made inside and never left is believed.
 */
function demandInside(attributes: KeyEvidence, { found, kid }: { found: boolean; kid: string }): void {
  const { sensitive, extractable, local, alwaysSensitive, neverExtractable } = attributes;
  const closed = sensitive !== false && extractable !== true;
  const fromInside = local === true && alwaysSensitive === true && neverExtractable === true;
  if (!closed || (found && !fromInside)) throw notFromInside(kid);
}

function notFromInside(kid: string): Fault {
  return new Fault(
    'SIGNER_REFUSED',
    `the token does not say that key ${kid} was made in it and cannot leave it; remove it with the tool of the vendor`,
  );
}

async function copyOf(
  tokenKeys: TokenKeys,
  handle: NewKey['handle'],
  acceptsNone: boolean,
): Promise<string | null> {
  try {
    return (await tokenKeys.copyOf(handle)).token;
  } catch (error) {
    if (error instanceof Fault && error.code === 'KEY_NOT_COPIED') return acceptsNone ? NO_COPY : null;
    throw error;
  }
}

/** Signs the record and makes the tenant. @returns the record */
async function conclude(
  parts: Parts,
  authority: Authority,
  ceremony: Held & { readonly made: readonly Made[] },
): Promise<string> {
  const { config, digest, made } = ceremony;
  const deps = {
    ...featureDeps(parts),
    prepareKeys: (tenant: { readonly id: string; readonly code: string; readonly at: EpochMs }) =>
      prepareTenantTrust({ ...trustDeps(parts), source: sourceOf(made) }, tenant),
  };
  const prepared = await prepareTenant(deps, { ...config.tenant, ...NO_LIMITS, contact: null });
  const record = await signRecord(parts, ceremony, prepared.keys.roots);
  const sha256 = createHash('sha256').update(record, 'ascii').digest('hex');
  await parts.work.run(authority, (tx) => {
    storeTenant(deps, tx, prepared);
    append(tx, {
      realm: null,
      action: 'ceremony.held',
      target: { kind: 'ceremony', id: digest },
      facts: { tenant: prepared.id, keys: made.length, recordSha256: sha256 },
      // It names people.
      private: { record },
    });
  });
  parts.realms.reload();
  return record;
}

function trustDeps({ keyring, custody }: Parts) {
  const createRealmKeys: Parameters<typeof prepareTenantTrust>[0]['createRealmKeys'] = (tx, realm) => {
    custody.createRealmKeys(tx, realm);
  };
  return { keyring, createRealmKeys };
}

function sourceOf(made: readonly Made[]): KeySource {
  return (purpose, environment) =>
    made.find(({ planned }) => planned.purpose === purpose && planned.environment === environment)?.key;
}

async function signRecord(
  { keyring, identity, time }: Parts,
  { config, digest, identity: token, made }: Held & { readonly made: readonly Made[] },
  roots: readonly string[],
): Promise<string> {
  const ledgerKey = keyring.activeKey('ledger', APPLIANCE_SCOPE);
  const jws = prepareJws(ledgerKey, CEREMONY_TYP, {
    v: 1,
    appliance: identity.applianceId,
    name: config.name,
    operators: config.operators,
    configSha256: digest,
    heldAt: isoTime(time.now()),
    tenant: config.tenant,
    token,
    roots,
    keys: made.map(({ shown }) => shown),
  });
  return jws.finish(await keyring.sign(ledgerKey.kid, jws.signingInput));
}

function taken({ tenant }: CeremonyConfig): Fault {
  return new Fault(
    'CONFLICT',
    `tenant ${tenant.code} exists already: this ceremony was held, or another one is meant`,
  );
}

import { demandGiven, demandState, demandText, memberOf } from './call.ts';
import { checkJws, readJws, type Jws } from './jws.ts';
import { keyFingerprint, normalFingerprint, readJwk } from './public-key.ts';
import { Refusal, answering, demand, type VerdictCode, demandForm } from './refusal.ts';
import { choiceAt, countAt, objectAt, objectsAt, optionalAt, stringAt, stringsAt, timeAt } from './shape.ts';
import type { PublicKey, SignatureVerifiers } from './signature.ts';
import {
  EMPTY_STATE,
  compareToSeen,
  newestSeen,
  seenMessage,
  type SeenMessage,
  type VerifierState,
} from './state.ts';
import type { JsonObject } from './strict-json.ts';
import type { Environment, KeyState, Trust, TrustedKey } from './trust.ts';

/** A root key as a bundle lists it. */
interface Root extends PublicKey {
  readonly state: KeyState;
}

/** An accepted trust bundle. */
export interface TrustBundle extends Trust {
  readonly tenant: string;
  readonly seq: number;
  readonly roots: readonly Root[];
  readonly seen: SeenMessage;
}

/** How to judge a bundle. */
export interface TrustBundleOptions {
  /** Root fingerprints the application pins: SHA-256 of the SPKI in hexadecimal (`mintmark trust fingerprint`). */
  readonly roots: readonly string[];
  /** The bundle held until now, if any: its roots may sign the next one. */
  readonly held?: TrustBundle | undefined;
  /** Tenant code, when the application knows it. */
  readonly tenant?: string | undefined;
  readonly state?: VerifierState | undefined;
  readonly verifiers?: SignatureVerifiers | undefined;
}

/** What became of a bundle. */
export interface TrustBundleAnswer {
  readonly accepted: boolean;
  /** VALID when accepted. */
  readonly code: VerdictCode;
  readonly message: string;
  /** What to use from now on: the new bundle, or the one held when the new one was refused. */
  readonly trust: TrustBundle | undefined;
  /** To be stored by the host. */
  readonly state: VerifierState;
}

const TYP = 'mm-trust+jws';
const MAX_CHARACTERS = 1024 * 1024;
const STATES = ['pending', 'active', 'retiring', 'retired', 'compromised'] as const;
const ENVIRONMENTS = ['live', 'test'] as const;

/**
 * Accepts or refuses a trust bundle (docs/formats/trust-bundle.md): signed by a root that is pinned or listed in the
 * bundle held, of the same tenant, with a higher `seq`. A second bundle with the `seq` of the one held is BUNDLE_FORK,
 * an older one BUNDLE_STALE; the one held stays.
 * @throws TypeError that names the argument or option, for a mistake in the call
 */
export function verifyTrustBundle(text: string, options: TrustBundleOptions): TrustBundleAnswer {
  demandText(text, 'text');
  demandRoots(memberOf(options, 'roots'));
  const { held, tenant } = options;
  demandGiven(held == null || Array.isArray(memberOf(held, 'roots')), 'held', '`trust` of the last answer');
  demandText(tenant ?? '', 'tenant');
  const state = options.state ?? EMPTY_STATE;
  demandState(state);
  return answering({ accepted: false, trust: held, state }, () => accept(text, options, state));
}

/** A pin that no fingerprint can equal would refuse every bundle, and blame the bundle. */
function demandRoots(roots: unknown): void {
  const fits = (root: unknown): boolean =>
    typeof root === 'string' && /^[0-9a-f]{64}$/.test(normalFingerprint(root));
  const all = Array.isArray(roots) && roots.every(fits);
  demandGiven(all, 'roots', 'fingerprints of 64 hexadecimal digits');
}

/** The fingerprint of a root's public key as applications pin it. @throws TypeError when it is no sound public key */
export function rootFingerprint(jwk: JsonObject): string {
  try {
    return keyFingerprint(readJwk(jwk));
  } catch (cause) {
    throw new TypeError('the root is not a public key', { cause });
  }
}

function accept(text: string, options: TrustBundleOptions, state: VerifierState): TrustBundleAnswer {
  demandForm(text.length <= MAX_CHARACTERS, 'the trust bundle is too large');
  const jws = readJws(text.trim(), TYP);
  // Nothing is believed yet; the roots are read first only because the signer stands among them.
  const roots = readRoots(jws.payload);
  checkSigners(jws, roots, options);
  const bundle = readBundle(jws, roots);
  const tenant = options.held?.tenant ?? options.tenant ?? bundle.tenant;
  demand(bundle.tenant === tenant, 'ISSUER_MISMATCH', `the trust bundle belongs to tenant ${bundle.tenant}`);
  const order = compareToSeen(bundle.seen, newestSeen(state.bundle, options.held?.seen));
  demand(order !== 'fork', 'BUNDLE_FORK', `there are two trust bundles number ${bundle.seq.toString()}`);
  demand(order !== 'old', 'BUNDLE_STALE', 'a newer trust bundle was accepted before');
  const newestTimeMs = Math.max(state.newestTimeMs, bundle.issuedAtMs);
  const next = { ...state, newestTimeMs, bundle: bundle.seen };
  return { accepted: true, code: 'VALID', message: 'accepted', trust: bundle, state: next };
}

function readRoots(payload: JsonObject): readonly Root[] {
  return objectsAt(payload, 'roots').map((item) => ({
    ...readNamedKey(item),
    state: choiceAt(item, 'state', STATES),
  }));
}

/** A key with its name; a name that is not its thumbprint could be claimed by two keys. */
function readNamedKey(item: JsonObject): PublicKey {
  const key = readJwk(objectAt(item, 'jwk'));
  demandForm(stringAt(item, 'kid') === key.kid, 'a key of the trust bundle has a wrong kid');
  return key;
}

/** One believed root with a good signature is enough; every signature by a believed root must be good. */
function checkSigners(jws: Jws, listed: readonly Root[], options: TrustBundleOptions): void {
  const believed = jws.signatures.flatMap((signature) => {
    const root = believedRoot(signature.kid, listed, options);
    return root === undefined ? [] : [{ signature, root }];
  });
  demand(believed.length > 0, 'KEY_UNKNOWN', 'no root that is pinned or known signed the trust bundle');
  for (const { signature, root } of believed) checkJws(signature, root, options.verifiers ?? {});
}

/** @throws Refusal KEY_COMPROMISED when the bundle held, or this one, says so of the signer */
function believedRoot(kid: string, listed: readonly Root[], options: TrustBundleOptions): Root | undefined {
  const pins = options.roots.map(normalFingerprint);
  const held = options.held?.roots.find((root) => root.kid === kid);
  const here = listed.find((root) => root.kid === kid);
  const root = held ?? here;
  if (root === undefined) return undefined;
  if (held === undefined && !pins.includes(keyFingerprint(root))) return undefined;
  const compromised = held?.state === 'compromised' || here?.state === 'compromised';
  if (compromised) throw new Refusal('KEY_COMPROMISED', `the root ${kid} is compromised`);
  return root;
}

function readBundle({ payload, payloadBytes }: Jws, roots: readonly Root[]): TrustBundle {
  demandForm(countAt(payload, 'v') === 1, 'the trust bundle is of an unknown version');
  const keys = objectsAt(payload, 'keys').map(readKey);
  const names = new Set(keys.map(({ kid }) => kid));
  demandForm(names.size === keys.length, 'a key stands twice in the trust bundle');
  const seq = countAt(payload, 'seq');
  return {
    rooted: true,
    tenant: stringAt(payload, 'tenant'),
    seq,
    seen: seenMessage(seq, payloadBytes),
    issuedAtMs: timeAt(payload, 'issuedAt'),
    nextUpdateMs: timeAt(payload, 'nextUpdate'),
    roots,
    keys,
  };
}

function readKey(item: JsonObject): TrustedKey {
  const key = readNamedKey(item);
  demandForm(stringAt(item, 'alg') === key.algorithm, 'a key of the trust bundle has a wrong alg');
  return {
    ...key,
    purpose: stringAt(item, 'purpose'),
    environment: optionalAt(item, 'environment', environmentAt),
    products: optionalAt(item, 'products', stringsAt),
    state: choiceAt(item, 'state', STATES),
    notBeforeMs: timeAt(item, 'notBefore'),
    notAfterMs: optionalAt(item, 'notAfter', timeAt) ?? Infinity,
  };
}

function environmentAt(item: JsonObject, key: string): Environment {
  return choiceAt(item, key, ENVIRONMENTS);
}

import { decodePaddedBase64url } from './base64.ts';
import { demandText } from './call.ts';
import { checkClock, checkDev, checkProduct } from './judge.ts';
import { answering, demand, demandForm } from './refusal.ts';
import { asObject, flagAt, optionalAt, stringAt, stringsAt, timeAt } from './shape.ts';
import { checkSignature, rawFromDer } from './signature.ts';
import { readJson } from './strict-json.ts';
import { utf8Bytes, utf8Text } from './text.ts';
import { demandInUse, demandSound, findSoundKey, type TrustedKey } from './trust.ts';
import {
  blankAnswer,
  CLOCK_SLACK_MS,
  openSession,
  type Session,
  type Verdict,
  type VerifyOptions,
} from './verdict.ts';

/** What a signed licence key says. */
export interface SignedKeyContent {
  readonly product: string;
  readonly policy: string;
  readonly licenseId: string;
  readonly entitlements: readonly string[];
  readonly createdAtMs: number;
  /** undefined = perpetual. */
  readonly expiresAtMs: number | undefined;
  readonly kid: string;
  readonly dev: boolean;
}

/** The answer to a signed key. */
export interface SignedKeyVerdict extends Pick<
  Verdict,
  'valid' | 'code' | 'message' | 'dev' | 'trustStale' | 'unchecked' | 'state'
> {
  /** Known as soon as the key is genuine, also when it is not valid here. */
  readonly signedKey: SignedKeyContent | undefined;
}

const MAX_CHARACTERS = 16 * 1024;

/**
 * Judges a signed licence key (docs/formats/signed-key.md). It carries no machine, no tenant and no environment: the
 * key that signed it is all that ties it to an issuer.
 * @throws TypeError that names the argument or option, for a mistake in the call
 */
export function verifySignedKey(text: string, options: VerifyOptions): SignedKeyVerdict {
  demandText(text, 'text');
  const session = openSession(options);
  const blank = { ...blankAnswer(session), signedKey: undefined };
  return answering(blank, () => judge(text.trim(), session, blank));
}

function judge(text: string, session: Session, blank: SignedKeyVerdict): SignedKeyVerdict {
  const { key, signedKey } = readGenuine(text, session);
  const known = { ...blank, signedKey, dev: signedKey.dev };
  return answering(known, () => {
    checkTenant(session);
    checkDev(signedKey.dev, session);
    checkProduct({ code: signedKey.product, id: undefined }, key, session);
    const expiresAtMs = signedKey.expiresAtMs ?? Infinity;
    const { state } = checkClock(
      { issuedAtMs: signedKey.createdAtMs, expiresAtMs, licenseExpiresAtMs: Infinity },
      session,
    );
    checkRevocation(signedKey, session);
    return { ...known, valid: true, code: 'VALID', message: 'the signed key is valid', state };
  });
}

function readGenuine(text: string, session: Session): { key: TrustedKey; signedKey: SignedKeyContent } {
  demandForm(text.length <= MAX_CHARACTERS, 'the signed key is too long');
  const [input = '', sig = '', ...more] = text.split('.');
  demandForm(input.startsWith('key/') && sig !== '' && more.length === 0, 'this is not a signed key');
  const signedKey = readClaims(decodePaddedBase64url(input.slice('key/'.length)));
  const { environment } = session;
  const key = findSoundKey(session.trust, { kid: signedKey.kid, purpose: 'license', environment });
  const bytes = decodePaddedBase64url(sig);
  const signature = key.algorithm === 'ES256' ? rawFromDer(bytes) : bytes;
  checkSignature(key, { message: utf8Bytes(input), signature }, session.verifiers);
  // A signed key does not say when it was signed: whether an announced key has begun, the clock says.
  const begun = session.now + CLOCK_SLACK_MS >= key.notBeforeMs;
  demandInUse(begun && signedKey.createdAtMs <= key.notAfterMs, key.kid);
  return { key, signedKey };
}

/** The key names no tenant: what ties it to one is the bundle. */
function checkTenant({ trust, tenant }: Session): void {
  const ours = tenant === (trust.tenant ?? tenant);
  demand(ours, 'ISSUER_MISMATCH', 'the trust bundle is of another tenant');
}

function readClaims(data: Uint8Array): SignedKeyContent {
  const claims = asObject(readJson(utf8Text(data)), 'data');
  return {
    product: stringAt(claims, 'product'),
    policy: stringAt(claims, 'policy'),
    licenseId: stringAt(claims, 'license'),
    entitlements: stringsAt(claims, 'entitlements'),
    createdAtMs: timeAt(claims, 'created'),
    expiresAtMs: optionalAt(claims, 'expiry', timeAt),
    kid: stringAt(claims, 'kid'),
    dev: flagAt(claims, 'dev'),
  };
}

function checkRevocation(signedKey: SignedKeyContent, session: Session): void {
  const list = session.revocations;
  if (list === undefined) return;
  demandSound(!list.namesKey(signedKey.kid), signedKey.kid);
  demand(!list.names('licenses', signedKey.licenseId), 'REVOKED', 'the licence is revoked');
}

import type { Random } from '../lib/random.ts';
import type { KeyPurpose } from './custodian.ts';
import type { JoseAlgorithm } from './key-id.ts';

/** What the messages of one purpose begin with (docs/formats: Signed messages). */
interface PurposeRow {
  /** Literal first bytes. */
  readonly prefixes?: readonly string[];
  /** `typ` of the JWS it may sign; the protected header is exactly `{alg, kid, typ}`, so it too is a prefix. */
  readonly typ?: readonly string[];
  /** For the messages whose first bytes vary: the whole message is looked at. */
  readonly form?: (message: Buffer) => boolean;
}

/**
 * What each purpose may sign, and no other: a message that one row accepts is refused by all others, so that no bug
 * elsewhere can turn one key into another. `exchange` keys agree on secrets and sign nothing.
 */
const PURPOSES: Readonly<Record<KeyPurpose, PurposeRow>> = {
  root: { typ: ['mm-trust+jws'] },
  revocation: { typ: ['mm-crl+jws'] },
  license: { prefixes: ['license/', 'machine/', 'key/'], typ: ['license+jwt'] },
  response: { form: isValidationBase },
  token: { typ: ['at+jwt', 'handoff+jwt'] },
  ledger: { prefixes: ['mintmark/'], typ: ['mm-ceremony+jws', 'mm-erasures+jws', 'mm-end+jws'] },
  exchange: {},
  webhook: { form: isWebhookContent },
  spool: { typ: ['mm-spool+jws'] },
  grant: { typ: ['mm-grant+jws', 'mm-update+jws'] },
  site: { prefixes: ['license/', 'machine/', 'key/'], typ: ['license+jwt', 'mm-usage+jws'] },
};

/** No purpose signs it and no format of ours begins so. */
const PROOF_PREFIX = 'mintmark-proof/';
const PROOF_BYTES = 32;

/**
 * What a key signs to prove that it is there: a prefix of no purpose and 32 random bytes. Whoever saw such a proof can present it
 * for nothing.
 */
export function proofChallenge(random: Random): Buffer {
  return Buffer.concat([Buffer.from(PROOF_PREFIX, 'ascii'), random.bytes(PROOF_BYTES)]);
}

/** Says of a message whether one key may sign it. */
export type MessageRule = (message: Buffer) => boolean;

/** The rule of one key. A JWS must name this key and its algorithm too. Made once per key, cheap per message. */
export function messageRule(key: {
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly jose: JoseAlgorithm;
}): MessageRule {
  const { prefixes = [], typ = [], form } = PURPOSES[key.purpose];
  const headers = typ.map((name) => encodedHeader(key.jose, key.kid, name));
  const starts = [...prefixes, ...headers].map((text) => Buffer.from(text, 'ascii'));
  return (message) =>
    starts.some((start) => message.length > start.length && startsWith(message, start)) ||
    (form?.(message) ?? false);
}

function startsWith(message: Buffer, start: Buffer): boolean {
  return message.compare(start, 0, start.length, 0, start.length) === 0;
}

/** The protected header of every JWS of ours with the dot after it (RFC 7515 §5.1). */
function encodedHeader(alg: string, kid: string, typ: string): string {
  return `${Buffer.from(JSON.stringify({ alg, kid, typ }), 'utf8').toString('base64url')}.`;
}

/** The one signature base there is for answers (docs/formats/response-signature.md), line by line. */
const VALIDATION_BASE = new RegExp(
  [
    '^"@status": [1-5][0-9]{2}',
    '"content-type": [^\\n]+',
    '"content-digest": sha-256=:[^\\n]+',
    '"@method";req: [A-Z]+',
    '"@path";req: /[^\\n]*',
    '"content-digest";req: [^\\n]+',
    '"@signature-params": \\("@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req\\)' +
      ';created=[0-9]+;expires=[0-9]+;keyid="[^"\\n]+";nonce="[A-Za-z0-9_-]{16,64}";tag="mm-validate"$',
  ].join('\\n'),
);

/** A signature base (RFC 9421 §2.5) that covers all that an answer of ours covers, and nothing else. */
function isValidationBase(message: Buffer): boolean {
  return VALIDATION_BASE.test(message.toString('latin1'));
}

/** Standard Webhooks: `<event id>.<unix seconds>.<body>`. */
function isWebhookContent(message: Buffer): boolean {
  return /^evt_[0-9A-Z]{26}\.[0-9]{1,12}\./.test(message.toString('latin1', 0, 64));
}

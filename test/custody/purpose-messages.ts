import { type KeyPurpose } from '../../src/custody/custodian.ts';

/** A key as a message names it. */
export interface NamedKey {
  readonly kid: string;
  readonly jose: 'EdDSA' | 'ES256';
}

/** One well-formed message of each kind that anything of ours signs, and who may sign it. */
export interface MessageKind {
  readonly what: string;
  readonly signedBy: readonly KeyPurpose[];
  readonly message: (key: NamedKey) => Buffer;
}

const plain = (text: string) => () => Buffer.from(text, 'utf8');

/** The bytes a JWS with our protected header is signed over. */
export function jwsInput({ kid, jose }: NamedKey, typ: string): Buffer {
  const header = Buffer.from(JSON.stringify({ alg: jose, kid, typ })).toString('base64url');
  return Buffer.from(`${header}.${Buffer.from('{"v":1}').toString('base64url')}`);
}

const jws = (typ: string, ...signedBy: KeyPurpose[]): MessageKind => ({
  what: `a JWS of type ${typ}`,
  signedBy,
  message: (key) => jwsInput(key, typ),
});

/** A signature base as RFC 9421 §2.5 lays it out, with the components of a signed validation. */
export const VALIDATION_BASE = [
  '"@status": 200',
  '"content-type": application/json',
  '"content-digest": sha-256=:AAAA:',
  '"@method";req: POST',
  '"@path";req: /api/v1/licenses/validate-key',
  '"content-digest";req: sha-256=:BBBB:',
  '"@signature-params": ("@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req)' +
    ';created=1700000000;expires=1700000060;keyid="k";nonce="0123456789abcdef";tag="mm-validate"',
].join('\n');

/** The table of docs/custody.md, Signed messages, written a second time. */
export const MESSAGE_KINDS: readonly MessageKind[] = [
  { what: 'a licence file', signedBy: ['license', 'site'], message: plain('license/AAAA.BBBB.CCCC') },
  { what: 'a machine file', signedBy: ['license', 'site'], message: plain('machine/AAAA.BBBB.CCCC') },
  { what: 'a signed key', signedBy: ['license', 'site'], message: plain('key/AAAA') },
  jws('license+jwt', 'license', 'site'),
  jws('at+jwt', 'token'),
  jws('handoff+jwt', 'token'),
  { what: 'a signed answer', signedBy: ['response'], message: plain(VALIDATION_BASE) },
  jws('mm-trust+jws', 'root'),
  jws('mm-crl+jws', 'revocation'),
  jws('mm-grant+jws', 'grant'),
  jws('mm-update+jws', 'grant'),
  jws('mm-usage+jws', 'site'),
  jws('mm-activation+jws'),
  jws('mm-renewal+jws'),
  jws('mm-receipt+jws'),
  { what: 'a checkpoint', signedBy: ['ledger'], message: plain('mintmark/app_1\n7\nAAAA\n') },
  jws('mm-ceremony+jws', 'ledger'),
  jws('mm-erasures+jws', 'ledger'),
  jws('mm-end+jws', 'ledger'),
  {
    what: 'a webhook',
    signedBy: ['webhook'],
    message: plain('evt_01J9ZC0000000000000000000A.1700000000.{"type":"license.created"}'),
  },
  jws('mm-spool+jws', 'spool'),
];

/** Every purpose. */
export const PURPOSES: readonly KeyPurpose[] = [
  ...(['root', 'revocation', 'license', 'response', 'token', 'ledger', 'exchange'] as const),
  ...(['webhook', 'spool', 'grant', 'site'] as const),
];

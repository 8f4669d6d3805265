import { createHash } from 'node:crypto';
import { KEYS, NOW } from './samples.ts';
import type { Signer } from './signers.ts';

/** A request with a nonce, an answer to it, how it is judged, and what must come out. */
export interface ResponseCase {
  /** The rule that is shown. */
  readonly name: string;
  readonly request: RequestVector;
  readonly response: ResponseVector;
  readonly with: ResponseCaseOptions;
  readonly genuine: boolean;
  readonly code: string;
}

/** A request, as far as its answer is bound to it. */
export interface RequestVector {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly nonce: string;
}

/** An answer. */
export interface ResponseVector {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** How an answer is judged, with the sample trust bundle; what is absent is not given to the verifier. */
export interface ResponseCaseOptions {
  readonly now: string;
  readonly product: string;
  readonly environment?: 'live' | 'test';
  readonly tenant?: string;
}

const NONCE = 'kZ0mPq3vT8yXaB2c';

/** The sample request. */
export const REQUEST: RequestVector = {
  method: 'POST',
  path: '/api/v1/licenses/validate-key',
  body: `{"key":"ACME-7K3M-9QXR-2TVB-H8K2","nonce":"${NONCE}"}`,
  nonce: NONCE,
};

/** The body of the sample answer. */
export const ANSWER = `{"data":{"valid":true,"code":"VALID","license":{"productCode":"press-control"},"nonce":"${NONCE}","clockSuspect":false}}`;

const COVERED = '("@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req)';

/** What may be changed about the sample answer before it is signed. */
interface AnswerChange {
  readonly request?: Partial<RequestVector>;
  readonly status?: number;
  readonly contentType?: string;
  readonly body?: string;
  readonly covered?: string;
  readonly created?: number;
  readonly expires?: number;
  readonly tag?: string;
  /** Parameters in place of all of them. */
  readonly parameters?: (usual: string) => string;
  readonly signer?: Signer;
  /** Named in place of the signer. */
  readonly kid?: string;
}

const digestOf = (body: string): string => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;

/** The sample answer, signed as asked: a second writing of docs/formats/response-signature.md. */
export function sampleResponse(change: AnswerChange = {}): ResponseVector {
  const { status = 200, contentType = 'application/json; charset=utf-8', body = ANSWER } = change;
  const request = { ...REQUEST, ...change.request };
  const parameters = parametersOf(change, request.nonce);
  const lines = [
    `"@status": ${String(status)}`,
    `"content-type": ${contentType}`,
    `"content-digest": ${digestOf(body)}`,
    `"@method";req: ${request.method}`,
    `"@path";req: ${request.path}`,
    `"content-digest";req: ${digestOf(request.body)}`,
    `"@signature-params": ${parameters}`,
  ];
  const signature = (change.signer ?? KEYS.response).sign(Buffer.from(lines.join('\n')));
  const headers = [
    ['content-type', contentType],
    ['content-digest', digestOf(body)],
    ['signature-input', `mm=${parameters}`],
    ['signature', `mm=:${signature.toString('base64')}:`],
  ] as const;
  return { status, headers, body };
}

function parametersOf(change: AnswerChange, nonce: string): string {
  const { covered = COVERED, created = NOW / 1000, tag = 'mm-validate' } = change;
  const kid = change.kid ?? (change.signer ?? KEYS.response).ref.kid;
  const expires = change.expires ?? created + 60;
  const times = `created=${String(created)};expires=${String(expires)}`;
  const usual = `${covered};${times};keyid="${kid}";nonce="${nonce}";tag="${tag}"`;
  return change.parameters?.(usual) ?? usual;
}

type Row = readonly [
  name: string,
  response: ResponseVector,
  code: string,
  more?: { readonly request?: Partial<RequestVector>; readonly with?: Partial<ResponseCaseOptions> },
];

/** Every answer of the published vectors. */
export function responseCases(): ResponseCase[] {
  return [...genuine(), ...elsewhere(), ...changed(), ...malformed(), ...inTime()].map(
    ([name, response, code, more = {}]) => ({
      name,
      request: { ...REQUEST, ...more.request },
      response,
      with: { now: new Date(NOW).toISOString(), product: 'press-control', ...more.with },
      genuine: code === 'VALID' || code === 'PRODUCT_MISMATCH',
      code,
    }),
  );
}

const problem = { status: 429, contentType: 'application/problem+json', body: '{"code":"RATE_LIMITED"}' };

function genuine(): Row[] {
  return [
    ['accepts an answer that the appliance signed for this request', sampleResponse(), 'VALID'],
    ['accepts a signed refusal', sampleResponse(problem), 'VALID'],
    [
      'accepts a test answer where test is asked for',
      sampleResponse({ signer: KEYS.testResponse }),
      'VALID',
      { with: { environment: 'test' } },
    ],
    ...ofProducts(),
    ['takes an answer without a signature for no answer', unsigned(), 'UNSIGNED'],
    ['takes an unsigned refusal for no answer', { ...unsigned(), status: 404 }, 'UNSIGNED'],
  ];
}

/** Genuine, and about a licence of another product: it unlocks nothing here. */
function ofProducts(): Row[] {
  const other = { with: { product: 'other-product' } };
  const invalid = '{"data":{"valid":false,"license":{"productCode":"press-control"}}}';
  const unknown = '{"data":{"valid":false,"code":"NOT_FOUND","license":null}}';
  return [
    ['refuses a valid licence of another product', sampleResponse(), 'PRODUCT_MISMATCH', other],
    [
      'refuses an invalid licence of another product',
      sampleResponse({ body: invalid }),
      'PRODUCT_MISMATCH',
      other,
    ],
    [
      'accepts that a key is unknown, whatever the product',
      sampleResponse({ body: unknown }),
      'VALID',
      other,
    ],
    ['accepts every product where any is asked for', sampleResponse(), 'VALID', { with: { product: 'any' } }],
  ];
}

function unsigned(): ResponseVector {
  const { status, headers, body } = sampleResponse();
  return { status, headers: headers.filter(([name]) => !name.startsWith('signature')), body };
}

/** Signed by somebody, for something, but not for this. */
function elsewhere(): Row[] {
  const response = sampleResponse();
  const other = 'AAAAAAAAAAAAAAAA';
  return [
    ['refuses an answer to an earlier request', response, 'NONCE_MISMATCH', { request: { nonce: other } }],
    [
      'refuses an answer to another body',
      response,
      'SIGNATURE_INVALID',
      { request: { body: REQUEST.body.replace('7K3M', '7K3N') } },
    ],
    [
      'refuses an answer of another path',
      response,
      'SIGNATURE_INVALID',
      { request: { path: '/api/v1/licenses/lic_1/validate' } },
    ],
    ['refuses an answer to another method', response, 'SIGNATURE_INVALID', { request: { method: 'PUT' } }],
    [
      'refuses an answer that was signed for another purpose',
      sampleResponse({ tag: 'mm-other' }),
      'TAG_MISMATCH',
    ],
    ['refuses a key of another purpose', sampleResponse({ signer: KEYS.license }), 'KEY_UNKNOWN'],
    ['refuses the key of another issuer', sampleResponse({ signer: KEYS.stranger }), 'KEY_UNKNOWN'],
    [
      'refuses a signature by another key than the one it names',
      sampleResponse({ signer: KEYS.stranger, kid: KEYS.response.ref.kid }),
      'SIGNATURE_INVALID',
    ],
    ['refuses a retired key', sampleResponse({ signer: KEYS.retiredResponse }), 'KEY_UNKNOWN'],
    ['refuses a key that is only announced', sampleResponse({ signer: KEYS.pendingResponse }), 'KEY_UNKNOWN'],
    ['refuses a compromised key', sampleResponse({ signer: KEYS.leakedResponse }), 'KEY_COMPROMISED'],
    [
      'refuses the key of the test environment',
      sampleResponse({ signer: KEYS.testResponse }),
      'ENVIRONMENT_MISMATCH',
    ],
    ['refuses the bundle of another tenant', response, 'ISSUER_MISMATCH', { with: { tenant: 'globex' } }],
  ];
}

/** Signed, and changed afterwards. */
function changed(): Row[] {
  const response = sampleResponse();
  const header = (name: string, value: string): ResponseVector => ({
    ...response,
    headers: response.headers.map((row) => (row[0] === name ? [name, value] : row)),
  });
  const invalid = ANSWER.replace('true', 'false');
  return [
    ['refuses another status', { ...response, status: 201 }, 'SIGNATURE_INVALID'],
    ['refuses another content type', header('content-type', 'application/json'), 'SIGNATURE_INVALID'],
    ['refuses another body', { ...response, body: invalid }, 'DIGEST_MISMATCH'],
    [
      'refuses another body with its digest',
      { ...header('content-digest', digestOf(invalid)), body: invalid },
      'SIGNATURE_INVALID',
    ],
    ['refuses a body cut short', { ...response, body: ANSWER.slice(0, -1) }, 'DIGEST_MISMATCH'],
  ];
}

/** Anything but the one form, even when it is signed. */
function malformed(): Row[] {
  const response = sampleResponse();
  const without = (name: string): ResponseVector => ({
    ...response,
    headers: response.headers.filter((row) => row[0] !== name),
  });
  const twice = (name: string): ResponseVector => ({
    ...response,
    headers: [...response.headers, ...response.headers.filter((row) => row[0] === name)],
  });
  const input = (change: (usual: string) => string): ResponseVector => sampleResponse({ parameters: change });
  const names = response.headers.map(([name]) => name);
  return [
    ...names.map((name): Row => [`refuses an answer without ${name}`, without(name), 'MALFORMED']),
    ...names.map((name): Row => [`refuses ${name} twice`, twice(name), 'MALFORMED']),
    [
      'refuses a signature that covers less',
      sampleResponse({ covered: COVERED.replace(' "@path";req', '') }),
      'MALFORMED',
    ],
    [
      'refuses another order of what is covered',
      sampleResponse({ covered: COVERED.replace('"@status" "content-type"', '"content-type" "@status"') }),
      'MALFORMED',
    ],
    ['refuses a parameter more', input((usual) => `${usual};alg="ed25519"`), 'MALFORMED'],
    ['refuses a parameter less', input((usual) => usual.replace(/;nonce="[^"]*"/, '')), 'MALFORMED'],
    ['refuses a parameter twice', input((usual) => usual.replace(/(;nonce="[^"]*")/, '$1$1')), 'MALFORMED'],
    ['refuses white space between parameters', input((usual) => usual.replace(';tag', '; tag')), 'MALFORMED'],
    ['refuses a second signature', input((usual) => `${usual}, other=("@status");keyid="x"`), 'MALFORMED'],
    [
      'refuses a time with zeros before it',
      input((usual) => usual.replace('created=', 'created=0')),
      'MALFORMED',
    ],
    [
      'refuses an answer that ends before it begins',
      sampleResponse({ expires: NOW / 1000 - 1 }),
      'MALFORMED',
    ],
    ['refuses a signed body that is not JSON', sampleResponse({ body: 'yes' }), 'MALFORMED'],
    [
      'refuses a signed body with a member twice',
      sampleResponse({ body: '{"data":{"valid":false,"valid":true}}' }),
      'MALFORMED',
    ],
    [
      'refuses a valid answer without a licence',
      sampleResponse({ body: '{"data":{"valid":true}}' }),
      'MALFORMED',
    ],
    ['refuses a validation that says nothing', sampleResponse({ body: '{"data":{}}' }), 'MALFORMED'],
    [
      'refuses a validation that says neither yes nor no',
      sampleResponse({ body: '{"data":{"valid":1}}' }),
      'MALFORMED',
    ],
  ];
}

const seconds = (more: number): { readonly now: string } => ({
  now: new Date(NOW + more * 1000).toISOString(),
});

function inTime(): Row[] {
  const response = sampleResponse();
  return [
    ['accepts a clock that is five minutes behind', response, 'VALID', { with: seconds(-300) }],
    ['refuses an answer from the future', response, 'NOT_YET_VALID', { with: seconds(-301) }],
    ['accepts a clock that is almost five minutes past the end', response, 'VALID', { with: seconds(359) }],
    ['refuses an answer that is too old', response, 'EXPIRED', { with: seconds(360) }],
  ];
}

import { createHash, randomBytes } from 'node:crypto';
import { verifyResponse } from '../../src/verify/index.ts';
import { type Asking, dataIn, type LoadAnswer } from '../load.ts';
import { type BenchMachine, issueMachines } from '../machines.ts';
import { nativeVerifiers } from '../native-verifiers.ts';
import type { BenchRow } from '../report.ts';
import { floorAsking, loadFloor, loadOurs, rateRow, type Stage } from '../stage.ts';

const PATH = '/api/v1/licenses/validate-key';
const MACHINES = 2000;
/** A validation is quick: more of them make a figure. */
const TIMES = 4;

/** Validates keys as clients do, each of its own machine. The floor answers the same JSON to whatever it parsed. */
export async function validateCase(stage: Stage): Promise<BenchRow[]> {
  const requests = TIMES * stage.sizes.requests;
  const machines = await issueMachines(stage, Math.min(MACHINES, requests), { name: 'Validate' });
  const bodies = machines.map(({ license, fingerprint }) =>
    JSON.stringify({ key: license.key, fingerprint }),
  );
  let answered = '';
  const asking: Asking = {
    request: (i) => ({ method: 'POST', path: PATH, body: bodies[i % bodies.length] ?? '' }),
    check: (i, answer) => {
      demandValid(i, answer);
      answered = answer.body;
    },
  };
  await loadOurs(stage, asking, { requests: Math.ceil(requests / 8), anonymous: true });
  const ours = await loadOurs(stage, asking, { requests, anonymous: true });
  await sameAnswer(stage, answered);
  const [first = '{}'] = bodies;
  const bare = floorAsking('/bare', () => JSON.parse(first) as object); // one of our own bodies
  const floor = await loadFloor(stage, bare, { requests });
  return [rateRow('validate-key, 64 connections', { ratio: 0.4, perSecond: 5000 }, { ours, floor })];
}

function demandValid(i: number, answer: LoadAnswer): void {
  const { code } = dataIn(200, i, answer);
  if (code !== 'VALID') throw new Error(`key ${i} was judged ${String(code)}`);
}

/** Tells the floor what it answers from now on. */
async function sameAnswer(stage: Stage, answer: string): Promise<void> {
  const same = JSON.parse(answer) as object; // answers of validations are objects
  await loadFloor(
    stage,
    floorAsking('/same', () => same),
    { requests: 1 },
  );
}

interface Exchanged {
  readonly request: { readonly body: string; readonly nonce: string };
  readonly answer: LoadAnswer;
  readonly at: number;
}

/** The same with signed answers; every signature is verified. */
export async function validateSignedCase(stage: Stage): Promise<BenchRow[]> {
  const { requests } = stage.sizes;
  const machines = await issueMachines(stage, Math.min(MACHINES, requests), { name: 'Validate signed' });
  const sent = Array.from({ length: requests }, (_, i) => requestOf(machines[i % machines.length]));
  const exchanged: Exchanged[] = [];
  const asking: Asking = {
    request: (i) => {
      const body = sent[i]?.body ?? '';
      return { method: 'POST', path: PATH, body, headers: { 'content-digest': digestOf(body) } };
    },
    check: (i, answer) => {
      demandValid(i, answer);
      exchanged.push({ request: sent[i] ?? { body: '', nonce: '' }, answer, at: Date.now() });
    },
  };
  const ours = await loadOurs(stage, asking, { requests, anonymous: true });
  verifyAll(stage, exchanged);
  await sameAnswer(stage, exchanged[0]?.answer.body ?? '{}');
  const bare = floorAsking('/bare-signed', (i) => JSON.parse(sent[i]?.body ?? '{}') as object); // one of our own bodies
  const floor = await loadFloor(stage, bare, { requests });
  return [rateRow('validate-key with signed answers, 64 connections', {}, { ours, floor })];
}

function requestOf(machine: BenchMachine | undefined): Exchanged['request'] {
  const nonce = randomBytes(18).toString('base64url');
  const { license, fingerprint } = machine ?? {};
  return { nonce, body: JSON.stringify({ key: license?.key, fingerprint, nonce }) };
}

const digestOf = (body: string): string => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;

function verifyAll({ appliance }: Stage, exchanged: readonly Exchanged[]): void {
  const verifiers = nativeVerifiers();
  for (const { request, answer, at } of exchanged) {
    const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const);
    const verdict = verifyResponse(
      { method: 'POST', path: PATH, ...request },
      { status: answer.status, headers, body: answer.body },
      { trust: appliance.trust, product: 'any', verifiers, now: at },
    );
    if (!verdict.genuine || verdict.licenseValid !== true)
      throw new Error(`a signed answer is not genuine: ${verdict.code} ${verdict.message}`);
  }
}

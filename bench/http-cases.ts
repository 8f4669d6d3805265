import { createPublicKey, verify as nodeVerify } from 'node:crypto';
import { type DevLine, dataOf, send } from '../test/support/daemon.ts';
import { pinPublicKeys, verifyMachineFile } from '../src/verify/index.ts';
import { expectStatus, type LoadPlan, type LoadResult, runLoad } from './load.ts';
import type { BenchRow } from './report.ts';

const CONNECTIONS = 64;

/** What the cases share: both servers, and a catalogue in ours. */
export interface Stage {
  readonly daemon: DevLine;
  /** Empty: nothing is compared. */
  readonly floorUrl: string;
  readonly productId: string;
  /** A policy with seats enough for everything. */
  readonly policyId: string;
  /** How many requests a case sends; small for a quick look. */
  readonly requests: number;
}

/** Creates product and policy. */
export async function openStage(daemon: DevLine, floorUrl: string, requests: number): Promise<Stage> {
  const target = targetOf(daemon);
  const product = await dataOf(
    send(target, { method: 'POST', path: '/products', body: { name: 'Bench', code: 'bench' } }),
  );
  const productId = String(product['id']);
  const body = { productId, name: 'Bench', template: 'desktop_app', maxMachines: 1_000_000 };
  const policy = await dataOf(send(target, { method: 'POST', path: '/policies', body }));
  return { daemon, floorUrl, productId, policyId: String(policy['id']), requests };
}

function targetOf(daemon: DevLine): { url: string; key: string } {
  return { url: daemon.url, key: daemon.live.secretKey };
}

function ours(
  stage: Stage,
  plan: Pick<LoadPlan, 'request' | 'check'> & { readonly anonymous?: boolean },
  requests = stage.requests,
): Promise<LoadResult> {
  const credentials = { authorization: `Bearer ${stage.daemon.live.secretKey}` };
  const headers = { ...(plan.anonymous === true ? {} : credentials), 'content-type': 'application/json' };
  return runLoad({ url: stage.daemon.url, headers, connections: CONNECTIONS, requests, ...plan });
}

function floor(
  stage: Stage,
  plan: Pick<LoadPlan, 'request' | 'check'>,
  requests = stage.requests,
): Promise<LoadResult> {
  const headers = { 'content-type': 'application/json' };
  return runLoad({ url: stage.floorUrl, headers, connections: CONNECTIONS, requests, ...plan });
}

function row(name: string, bar: { text: string; ratio: number; perSecond: number }, pair: Pair): BenchRow {
  const ratio = pair.ours.perSecond / pair.floor.perSecond;
  return {
    name,
    unit: '/s',
    ours: pair.ours.perSecond,
    floor: pair.floor.perSecond,
    p99Ms: pair.ours.p99Ms,
    bar: bar.text,
    holds: ratio >= bar.ratio && pair.ours.perSecond >= bar.perSecond,
  };
}

interface Pair {
  readonly ours: LoadResult;
  readonly floor: LoadResult;
}

/** Creates licences. */
export async function createLicenseCase(
  stage: Stage,
): Promise<{ row: BenchRow; ids: string[]; keys: string[] }> {
  const ids: string[] = [];
  const keys: string[] = [];
  const body = JSON.stringify({
    productId: stage.productId,
    policyId: stage.policyId,
    name: 'Bench licence',
  });
  const check: LoadPlan['check'] = (i, status, text) => {
    expectStatus(201)(i, status, text);
    const { data } = JSON.parse(text) as { data: { id: string; key: string } }; // checked by what follows: both are used
    ids.push(data.id);
    keys.push(data.key);
  };
  const request = (): { method: 'POST'; path: string; body: string } => {
    return { method: 'POST', path: '/api/v1/licenses', body };
  };
  const measured = await ours(stage, { request, check });
  if (new Set(ids).size !== stage.requests) throw new Error('not every licence has an id of its own');
  const bare =
    stage.floorUrl === ''
      ? measured
      : await floor(stage, {
          request: () => ({ method: 'POST', path: '/license', body }),
          check: expectStatus(200),
        });
  const bar = { text: '≥ 0.4 of floor, ≥ 1500/s', ratio: 0.4, perSecond: 1500 };
  return { row: row('create licence, 64 connections', bar, { ours: measured, floor: bare }), ids, keys };
}

/** Activates machines on one licence that has seats for all. */
export async function activateCase(
  stage: Stage,
): Promise<{ row: BenchRow; machines: string[]; key: string }> {
  const target = targetOf(stage.daemon);
  const license = await dataOf(
    send(target, {
      method: 'POST',
      path: '/licenses',
      body: { productId: stage.productId, policyId: stage.policyId },
    }),
  );
  const id = String(license['id']);
  const machines: string[] = [];
  const check: LoadPlan['check'] = (i, status, text) => {
    expectStatus(201)(i, status, text);
    machines[i] = (JSON.parse(text) as { data: { id: string } }).data.id; // its status was just checked
  };
  const request = (i: number): ReturnType<LoadPlan['request']> => ({
    method: 'POST',
    path: `/api/v1/licenses/${id}/machines`,
    body: JSON.stringify({ fingerprint: fingerprint(i), platform: 'linux' }),
  });
  const measured = await ours(stage, { request, check });
  const seats = await dataOf(send(target, { method: 'GET', path: `/licenses/${id}` }));
  if (seats['machineCount'] !== stage.requests)
    throw new Error('the seats taken are not the machines activated');
  const bare = await floorLicenses(stage);
  const floored = await floor(stage, {
    request: (i) => ({
      method: 'POST',
      path: '/machine',
      body: JSON.stringify({ license: bare.id, fingerprint: fingerprint(i) }),
    }),
    check: expectStatus(200),
  });
  const bar = { text: '≥ 2000/s', ratio: 0, perSecond: 2000 };
  return {
    row: row('activate on one licence, 64 connections', bar, { ours: measured, floor: floored }),
    machines,
    key: String(license['key']),
  };
}

function fingerprint(i: number): string {
  return `bench-machine-${String(i)}`;
}

async function floorLicenses(stage: Stage): Promise<{ id: string; key: string }> {
  const response = await fetch(`${stage.floorUrl}/license`, { method: 'POST', body: '{"name":"Bench"}' });
  const { data } = (await response.json()) as { data: { id: string; key: string } }; // the floor's own answer
  return data;
}

/** Checks machine files out; afterwards every one of them is verified. */
export async function checkoutCase(
  stage: Stage,
  given: { machines: string[]; key: string },
): Promise<BenchRow> {
  const files: string[] = [];
  const check: LoadPlan['check'] = (i, status, text) => {
    expectStatus(200)(i, status, text);
    files[i] = (JSON.parse(text) as { data: { certificate: string } }).data.certificate; // verified below
  };
  const request = (i: number): ReturnType<LoadPlan['request']> => ({
    method: 'POST',
    path: `/api/v1/machines/${given.machines[i % given.machines.length] ?? ''}/checkout`,
    body: '{}',
  });
  const measured = await ours(stage, { request, check });
  verifyAll(stage, files, given);
  const bare = await floorLicenses(stage);
  const floored = await floor(stage, {
    request: () => ({ method: 'POST', path: '/checkout', body: JSON.stringify({ license: bare.id }) }),
    check: expectStatus(200),
  });
  const bar = { text: '≥ 0.4 of floor, ≥ 1000/s', ratio: 0.4, perSecond: 1000 };
  return row('machine-file checkout, 64 connections', bar, { ours: measured, floor: floored });
}

/** Every file opens with the key, is for its machine, and is signed by the appliance. */
function verifyAll(stage: Stage, files: readonly string[], given: { machines: string[]; key: string }): void {
  const trust = pinPublicKeys({ license: [stage.daemon.live.publicKey.hex] });
  const spki = Buffer.concat([
    Buffer.from('302a300506032b6570032100', 'hex'),
    Buffer.from(stage.daemon.live.publicKey.hex, 'hex'),
  ]);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const ed25519 = (message: Uint8Array, signature: Uint8Array): boolean =>
    nodeVerify(null, message, key, signature);
  for (const [i, file] of files.entries()) {
    const verdict = verifyMachineFile(file, {
      trust,
      product: 'bench',
      licenseKey: given.key,
      fingerprint: fingerprint(i % given.machines.length),
      verifiers: { ed25519: (_, message, signature) => ed25519(message, signature) },
    });
    if (!verdict.valid) throw new Error(`file ${String(i)} is not valid: ${verdict.code} ${verdict.message}`);
  }
}

/** Validates keys that exist, each by its own. */
export async function validateCase(stage: Stage, keys: readonly string[]): Promise<BenchRow> {
  const bodies = keys.map((key) => JSON.stringify({ key, fingerprint: 'bench-machine-none' }));
  const check: LoadPlan['check'] = (i, status, text) => {
    expectStatus(200)(i, status, text);
    const { data } = JSON.parse(text) as { data: { code: string } }; // compared in the next line
    if (data.code !== 'FINGERPRINT_NOT_FOUND') throw new Error(`key ${String(i)} was judged ${data.code}`);
  };
  const count = stage.requests * 4;
  const measured = await ours(
    stage,
    {
      request: (i) => ({
        method: 'POST',
        path: '/api/v1/licenses/validate-key',
        body: bodies[i % bodies.length] ?? '',
      }),
      check,
      // As clients send it: the licence key in the body is the credential.
      anonymous: true,
    },
    count,
  );
  const bare = await floorLicenses(stage);
  const floored = await floor(
    stage,
    {
      request: () => ({ method: 'POST', path: '/validate', body: JSON.stringify({ key: bare.key }) }),
      check: expectStatus(200),
    },
    count,
  );
  const bar = { text: '≥ 0.4 of floor, ≥ 5000/s', ratio: 0.4, perSecond: 5000 };
  return row('validate-key, 64 connections', bar, { ours: measured, floor: floored });
}

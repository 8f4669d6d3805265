import { dataOf, send } from '../test/support/daemon.ts';
import type { BenchAppliance, LoopDelayMs } from './appliance.ts';
import { type Asking, dataIn, expectStatus, type LoadResult, runLoad } from './load.ts';
import type { BenchRow } from './report.ts';

/** How much is done; small for a quick look. */
export interface Sizes {
  /** Requests of a case. */
  readonly requests: number;
  /** Seats, and licences, of the cases that want many. */
  readonly many: number;
  /** Batches of 1000 licences. */
  readonly batches: number;
}

/** What the cases share: both servers, and a product in ours. */
export interface Stage {
  readonly appliance: BenchAppliance;
  readonly floorUrl: string;
  readonly productId: string;
  readonly sizes: Sizes;
}

/** A licence as its creation showed it. */
export interface Issued {
  readonly id: string;
  readonly key: string;
}

/** Connections at a time, unless a case says otherwise. */
export const CONNECTIONS = 64;
const BATCH = 1000;
/** Code of the product that everything is issued of. */
export const PRODUCT = 'bench';

/** Creates the product. */
export async function openStage(given: Omit<Stage, 'productId'>): Promise<Stage> {
  const body = { name: 'Bench', code: PRODUCT };
  const product = await dataOf(send(given.appliance, { method: 'POST', path: '/products', body }));
  return { ...given, productId: String(product['id']) };
}

/** Creates a policy; returns its id. */
export async function createPolicy(
  { appliance, productId }: Pick<Stage, 'appliance' | 'productId'>,
  settings: Readonly<Record<string, unknown>>,
): Promise<string> {
  const body = { productId, template: 'desktop_app', ...settings };
  return String((await dataOf(send(appliance, { method: 'POST', path: '/policies', body })))['id']);
}

/** Issues licences in batches. */
export async function issue(
  { appliance, productId }: Pick<Stage, 'appliance' | 'productId'>,
  policyId: string,
  count: number,
): Promise<Issued[]> {
  const issued: Issued[] = [];
  while (issued.length < count) {
    const body = { template: { productId, policyId }, count: Math.min(BATCH, count - issued.length) };
    const made = await dataOf(send(appliance, { method: 'POST', path: '/licenses/batch', body }));
    issued.push(...(made['licenses'] as readonly Issued[]).map(({ id, key }) => ({ id, key }))); // documented answer
  }
  return issued;
}

/** How a load is put on, besides what is asked. */
export interface Shape {
  readonly requests: number;
  readonly connections?: number;
  readonly duePerSecond?: number;
  /** As client applications ask: the licence key in the body is the credential. */
  readonly anonymous?: boolean;
}

const JSON_BODY = { 'content-type': 'application/json' };

/** Puts a load on our server; measures how late its timers come meanwhile. */
export async function loadOurs(
  { appliance }: Pick<Stage, 'appliance'>,
  asking: Asking,
  { anonymous, ...shape }: Shape,
): Promise<LoadResult & { readonly loopDelay: LoopDelayMs }> {
  const headers = {
    ...JSON_BODY,
    ...(anonymous === true ? {} : { authorization: `Bearer ${appliance.key}` }),
  };
  await appliance.loopDelay();
  const result = await runLoad({
    url: appliance.url,
    headers,
    connections: CONNECTIONS,
    ...shape,
    ...asking,
  });
  return { ...result, loopDelay: await appliance.loopDelay() };
}

/** Puts a load on the floor. */
export function loadFloor(
  { floorUrl }: Pick<Stage, 'floorUrl'>,
  asking: Asking,
  shape: Omit<Shape, 'anonymous'>,
): Promise<LoadResult> {
  return runLoad({ url: floorUrl, headers: JSON_BODY, connections: CONNECTIONS, ...shape, ...asking });
}

/** What of a licence's answer is used later. */
export function issuedIn(data: Readonly<Record<string, unknown>>): Issued {
  return { id: String(data['id']), key: String(data['key']) };
}

/** What the floor is asked: `POST` of one body after another, each answered with 200. */
export function floorAsking(path: string, body: (i: number) => object): Asking {
  return {
    request: (i) => ({ method: 'POST', path, body: JSON.stringify(body(i)) }),
    check: expectStatus(200),
  };
}

/** Licences of the floor. */
export async function floorLicenses(stage: Pick<Stage, 'floorUrl'>, count: number): Promise<Issued[]> {
  const made: Issued[] = [];
  const check: Asking['check'] = (i, answer) => made.push(issuedIn(dataIn(200, i, answer)));
  const asking = { ...floorAsking('/license', () => ({ name: 'Bench' })), check };
  await loadFloor(stage, asking, { requests: count, connections: Math.min(count, CONNECTIONS) });
  return made;
}

/** One licence of the floor. */
export async function floorLicense(stage: Pick<Stage, 'floorUrl'>): Promise<Issued> {
  const [license] = await floorLicenses(stage, 1);
  if (license === undefined) throw new Error('the floor made no licence');
  return license;
}

/** What a rate must be. */
export interface Bar {
  /** Share of the floor's. */
  readonly ratio?: number;
  readonly perSecond?: number;
}

/** A rate beside its floor. */
export function rateRow(
  name: string,
  bar: Bar,
  {
    ours,
    floor,
  }: { readonly ours: LoadResult & { readonly loopDelay: LoopDelayMs }; readonly floor: LoadResult },
): BenchRow {
  const { ratio = 0, perSecond = 0 } = bar;
  const words = [ratio > 0 ? `≥ ${ratio} of floor` : '', perSecond > 0 ? `≥ ${perSecond}/s` : ''];
  const judged = ratio > 0 || perSecond > 0;
  const holds = ours.perSecond >= perSecond && ours.perSecond >= ratio * floor.perSecond;
  return {
    name,
    unit: '/s',
    ours: ours.perSecond,
    floor: floor.perSecond,
    latency: ours.latency,
    loopDelay: ours.loopDelay,
    bar: words.filter((word) => word !== '').join(', '),
    holds: judged ? holds : null,
  };
}

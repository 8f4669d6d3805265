import { join } from 'node:path';
import { type Unsealing } from '../../../src/custody/index.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { openParts, type Parts } from '../../../src/daemon/parts.ts';
import { close } from '../../../src/daemon/first-tenant.ts';
import { silentLog } from '../../../src/http/log.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { openDataDirectory } from '../../../src/storage/data-directory.ts';
import { seeded } from '../../campaigns/seeded.ts';
import { type RunningDaemon, send } from '../../support/daemon.ts';
import { sendAsOperator } from '../../support/operator-socket.ts';

/** What a life of requests left: how often each was answered with success. */
export type Lived = ReadonlyMap<string, number>;

const POLICY = { maxMachines: 3, requireFingerprint: false };

/**
 * Asks a daemon for everything that changes rows, in an order that depends on the seed alone. What is asked at the wrong
 * moment is refused, and that is part of a life.
 */
export async function live(daemon: RunningDaemon, plan: { seed: number; requests: number }): Promise<Lived> {
  const life = new Life(daemon, seeded(plan.seed));
  await life.begin();
  for (let n = 0; n < plan.requests; n += 1) await life.one(n);
  return life.done;
}

type Kind = 'products' | 'policies' | 'entitlements' | 'licenses' | 'machines' | 'api-keys';

class Life {
  readonly #daemon: RunningDaemon;
  readonly #random: () => number;
  readonly #ids = new Map<Kind, string[]>();
  readonly done = new Map<string, number>();

  constructor(daemon: RunningDaemon, random: () => number) {
    this.#daemon = daemon;
    this.#random = random;
  }

  /** Some of everything, so that nothing has to wait for its turn. */
  async begin(): Promise<void> {
    for (let n = 0; n < 3; n += 1) {
      await this.#make('products', { name: 'P', code: `p${String(n)}`, keyPrefix: 'APP' });
      const [first] = this.#ids.get('products') ?? [];
      await this.#make('policies', {
        productId: first,
        name: 'Q',
        code: `q${String(n)}`,
        ...POLICY,
      });
      await this.#make('entitlements', { code: `e${String(n)}`, name: 'E' });
    }
  }

  async one(n: number): Promise<void> {
    const steps = this.#steps(n);
    await steps[Math.floor(this.#random() * steps.length)]?.();
  }

  #steps(n: number): (() => Promise<unknown>)[] {
    const [only] = this.#ids.get('products') ?? [];
    const [product, policy, other] = [this.#any('products'), this.#any('policies'), this.#any('policies')];
    const [entitlement, license, machine] = [
      this.#any('entitlements'),
      this.#any('licenses'),
      this.#any('machines'),
    ];
    const key = this.#any('api-keys');
    const text = `number-${String(n)}`;
    const soon = new Date(Date.now() + 86_400_000 * (1 + this.#random() * 300)).toISOString();
    const make = (): Promise<void> =>
      this.#make('licenses', {
        ...{ productId: only, policyId: policy, name: text, userEmail: `${text}@example.test` },
        ...(n % 4 === 0 && entitlement !== 'none' ? { entitlementIds: [entitlement] } : {}),
      });
    const activate = (): Promise<void> =>
      this.#make(
        'machines',
        {
          fingerprint: text,
          userEmail: `${text}@example.test`,
          components: n % 2 === 0 ? { board: text, disk: text } : {},
        },
        `/licenses/${license}/machines`,
      );
    return [
      ...[make, make, make, activate, activate, activate],
      () => this.#ask('POST', `/licenses/${license}/checkout`, { fingerprint: `file-${text}` }),
      () => this.#ask('POST', `/licenses/${license}/checkout`, {}),
      () => this.#ask('POST', `/machines/${machine}/checkout`, {}),
      () => this.#ask('POST', `/machines/${machine}/heartbeat`, {}),
      () => this.#ask('PATCH', `/machines/${machine}`, { name: text }),
      () => this.#ask('DELETE', `/machines/${machine}`),
      () => this.#ask('DELETE', `/machines/${machine}`),
      () => this.#ask('PATCH', `/licenses/${license}`, { maxMachinesOverride: n }),
      () => this.#ask('POST', `/licenses/${license}/suspend`, {}),
      () => this.#ask('POST', `/licenses/${license}/reinstate`, {}),
      () => this.#ask('POST', `/licenses/${license}/renew`, { expiresAt: soon }),
      () => this.#ask('POST', `/licenses/${license}/transfer`, { policyId: other }),
      () => this.#ask('POST', `/licenses/${license}/reveal`, {}),
      () => this.#ask('PUT', `/licenses/${license}/entitlements/${entitlement}`, { expiresAt: soon }),
      () => this.#ask('PUT', `/licenses/${license}/entitlements/${entitlement}`, {}),
      () => this.#ask('DELETE', `/licenses/${license}/entitlements/${entitlement}`),
      () => this.#ask('PUT', `/policies/${policy}/entitlements/${entitlement}`, {}),
      () => this.#ask('DELETE', `/policies/${policy}/entitlements/${entitlement}`),
      () => this.#ask('DELETE', `/licenses/${license}`),
      () => this.#ask('POST', `/licenses/${license}/restore`, { machines: n % 2 === 0 }),
      () => this.#ask('PATCH', `/policies/${policy}`, { maxMachines: 3 + (n % 5) }),
      () =>
        this.#ask('PATCH', `/products/${product}`, {
          name: text,
          indexedMetadata: n % 2 === 0 ? ['seat'] : [],
        }),
      () => this.#ask('DELETE', `/entitlements/${entitlement}`),
      () => this.#ask('POST', `/entitlements/${entitlement}/restore`, {}),
      () => this.#ask('POST', `/licenses/${license}/${n % 7 === 0 ? 'ban' : 'revoke'}`, { reason: text }),
      () =>
        this.#make(
          'api-keys',
          n % 2 === 0 ? { kind: 'pk', name: text } : { kind: 'sk', name: text, scopes: ['licenses:read'] },
        ),
      () => this.#ask('PATCH', `/api-keys/${key}`, { name: text, issueLimitPerDay: n + 1 }),
      () => this.#ask('POST', `/api-keys/${key}/rotate`, { overlapHours: 1 }),
      () => this.#ask('POST', `/api-keys/${key}/revoke`, {}),
      () => this.#ask('GET', '/revocations'),
      () => this.#tenant({ name: text, maxLicenses: 10_000 + n }),
    ];
  }

  async #make(kind: Kind, body: unknown, path = `/${kind}`): Promise<void> {
    const id = await this.#ask('POST', path, body);
    if (id === undefined) return;
    const known = this.#ids.get(kind) ?? [];
    this.#ids.set(kind, [...known, id]);
  }

  #any(kind: Kind): string {
    const known = this.#ids.get(kind) ?? [];
    return known[Math.floor(this.#random() * known.length)] ?? 'none';
  }

  async #ask(method: string, path: string, body?: unknown): Promise<string | undefined> {
    const target = { url: this.#daemon.url, key: this.#daemon.live.secretKey };
    const answer = await send(target, { method, path, body });
    const shape = `${method} ${path.replaceAll(/[a-z]+_[0-9A-Z]{26}|none/g, '*')}`;
    if (answer.status >= 500) throw new Error(`${shape} was answered ${String(answer.status)}`);
    if (answer.body['code'] === 'VALIDATION_FAILED')
      throw new Error(`${shape}: ${JSON.stringify(answer.body)}`);
    if (answer.status >= 300) return undefined;
    this.done.set(shape, (this.done.get(shape) ?? 0) + 1);
    return (answer.body['data'] as { id?: string } | undefined)?.id; // resources have an id
  }

  async #tenant(change: unknown): Promise<void> {
    const data = join(this.#daemon.dir, 'data');
    const { body } = await sendAsOperator(data, { method: 'GET', path: '/tenants' });
    const [tenant] = body['data'] as { id: string }[]; // the list of tenants
    await sendAsOperator(data, { method: 'PATCH', path: `/tenants/${String(tenant?.id)}`, body: change });
  }
}

/** Opens what a daemon left, as the next start would, and closes it again. */
export async function withParts<T>(root: string, use: (parts: Parts) => T | Promise<T>): Promise<T> {
  const data = join(root, 'data');
  const directory = await openDataDirectory(data, { dev: true });
  try {
    const unsealing: Unsealing = { with: 'credential', path: join(root, 'kek') };
    const flags = { 'data.directory': data, 'data.ballastMiB': 0, 'data.reserveMiB': 1 };
    const { config } = loadConfig({ file: '/dev/null', environment: {}, flags });
    const around = { clock: systemClock, random: systemRandom, log: silentLog, onFatal: () => undefined };
    const parts = await openParts({ config, directory, unsealing }, around);
    try {
      return await use(parts);
    } finally {
      await close(parts);
    }
  } finally {
    directory.close();
  }
}

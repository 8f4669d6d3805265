import { createHash } from 'node:crypto';
import type { Permit } from '../../src/access/index.ts';
import type { Answer, Call } from '../../src/http/route.ts';
import { checkoutLicense, issuingRoutes } from '../../src/issuing/index.ts';
import { present } from '../../src/lib/invariant.ts';
import { changeStatus } from '../../src/licensing/licenses/transition.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import {
  RevocationList,
  type RevocationListAnswer,
  type TrustBundle,
  verifyLicenseFile,
  verifyTrustBundle,
} from '../../src/verify/index.ts';
import { type Shop } from '../licensing/shop.ts';

const PATH = '/api/v1/tenants/{code}/revocations';

/** What the route answers to anybody. */
export async function get(shop: Shop, code = 'acme', given: Partial<Call<Permit>> = {}): Promise<Answer> {
  const route = present(
    issuingRoutes(shop.deps).find((row) => row.path === PATH),
    'there is a route',
  );
  const call: Call<Permit> = {
    permit: shop.anonymous(),
    params: { code },
    query: { env: 'live' },
    body: undefined,
    requestId: 'req_test',
    header: () => undefined,
    address: '192.0.2.7',
    path: PATH,
    bodyDigest: () => createHash('sha256').digest(),
    ...given,
  };
  return route.handle(call);
}

/** The body of an answer. */
export const text = (answer: Answer): string => present(answer.raw, 'a document').bytes.toString('utf8');

/** The payload of a list: its signature is looked at by the library. */
export function payloadOf(jws: string): {
  readonly number: number;
  readonly minEpoch: number;
  readonly licenses: readonly string[];
  readonly machines: readonly string[];
  readonly env: string;
  readonly issued: string;
  readonly keys: readonly { readonly kid: string; readonly affirmed: readonly string[] }[];
} {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as ReturnType<
    typeof payloadOf
  >; // made by our own encoder
}

/** What an application holds: the newest bundle of a tenant, verified from its pin. */
export function trustOf(shop: Shop, tenantId = shop.acme.tenantId): TrustBundle {
  const root = shop.keyring.ofTenant(tenantId).find(({ purpose }) => purpose === 'root');
  const pin = createHash('sha256').update(present(root, 'a root').publicKey).digest('hex');
  const { trust_bundle: jws } = shop.row('SELECT trust_bundle FROM tenants WHERE id = ?', tenantId) as {
    readonly trust_bundle: string;
  };
  return present(verifyTrustBundle(jws, { roots: [pin] }).trust, 'the bundle is good');
}

/** The list as the library takes it. */
export async function accepted(
  shop: Shop,
  environment: 'live' | 'test' = 'live',
): Promise<RevocationListAnswer> {
  const jws = text(await get(shop, 'acme', { query: { env: environment } }));
  return RevocationList.accept(jws, { trust: trustOf(shop), environment });
}

/** A file as most ask for it. */
export const PLAIN = {
  ttlSeconds: undefined,
  form: 'file',
  encrypt: true,
  signed: null,
  raw: false,
} as const;
/** A policy whose files need no machine. */
export const UNBOUND = { requireFingerprint: false };

/** A licence that was sold. */
export interface Sold {
  readonly id: string;
  readonly key: string;
  readonly product: string;
}

/** A licence whose files need no machine. */
export async function sell(
  shop: Shop,
  settings: object = {},
  realm: RealmId = shop.acme.live,
): Promise<Sold> {
  const { license, product } = await shop.sell({ ...UNBOUND, ...settings }, {}, realm);
  return { id: license.id, key: present(license.key, 'the operator sees it'), product: product.code };
}

/** Where a file is issued, and how long it is to live. */
interface Asked {
  readonly realm?: RealmId;
  readonly ttlSeconds?: number;
}

/** A licence file. */
export async function file(
  shop: Shop,
  { id }: Sold,
  { realm = shop.acme.live, ...more }: Asked = {},
): Promise<string> {
  const request = { licenseId: id, fingerprint: null, components: undefined, ...PLAIN, ...more };
  return (await checkoutLicense(shop.deps, shop.operator(realm), request)).certificate;
}

/** Revokes a licence, or bans it. */
export async function end(
  shop: Shop,
  { id }: Sold,
  {
    action = 'revoke',
    realm = shop.acme.live,
  }: { readonly action?: 'revoke' | 'ban'; readonly realm?: RealmId } = {},
): Promise<void> {
  await changeStatus(shop.deps, shop.operator(realm), { id, action, versions: null });
}

/** What the library says of a file under a list. */
export function verdictOf(
  shop: Shop,
  given: {
    readonly sold: Sold;
    readonly text: string;
    readonly list?: RevocationList | undefined;
    readonly environment?: 'live' | 'test';
    readonly now?: number;
  },
) {
  const { sold, text: certificate, list, environment = 'live', now = shop.clock.wall() } = given;
  const options = { trust: trustOf(shop), product: sold.product, licenseKey: sold.key, now, environment };
  return verifyLicenseFile(certificate, { ...options, revocations: list });
}

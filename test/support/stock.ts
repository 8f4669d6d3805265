import { type Answered, dataOf, send } from './daemon.ts';

/** Where and as whom: address of a daemon and a secret key. */
export interface Target {
  readonly url: string;
  readonly key: string;
}

/** A product with a policy, and how to make licences of it. */
export interface Stock extends Reach {
  readonly productId: string;
  readonly policyId: string;
  /** Makes a licence; the answer shows its key. */
  license(more?: Readonly<Record<string, unknown>>): Promise<{ readonly id: string; readonly key: string }>;
}

/** How requests reach a daemon. */
export interface Reach {
  readonly post: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answered>;
  readonly get: (path: string) => Promise<Answered>;
}

/** Reaches a daemon with a secret key; for a stock whose daemon was started anew. */
export function reach(target: Target): Reach {
  return {
    post: (path, body = {}, headers = {}) => send(target, { method: 'POST', path, body, headers }),
    get: (path) => send(target, { method: 'GET', path }),
  };
}

/** Makes a product and a policy over HTTP. @param code of the product, new in its realm */
export async function stockUp(
  target: Target,
  code: string,
  policy: Readonly<Record<string, unknown>> = {},
): Promise<Stock> {
  const { post, get } = reach(target);
  const product = await dataOf(post('/products', { name: `Product ${code}`, code }));
  const settings = { template: 'desktop_app', name: `Policy ${code}`, ...policy };
  const made = await dataOf(post('/policies', { productId: product['id'], ...settings }));
  const ids = { productId: String(product['id']), policyId: String(made['id']) };
  return {
    ...ids,
    post,
    get,
    license: async (more = {}) => {
      const license = await dataOf(post('/licenses', { ...ids, ...more }));
      return { id: String(license['id']), key: String(license['key']) };
    },
  };
}

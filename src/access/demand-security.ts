import type { Demand } from './permit.ts';

/** The credentials there are, as the OpenAPI document names them (OpenAPI 3.1 §4.8.27). */
export const SECURITY_SCHEMES = {
  secretKey: {
    type: 'http',
    scheme: 'bearer',
    description: 'A secret API key, `sk_live_…` or `sk_test_…`; `X-API-Key` takes it too.',
  },
  publishableKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Publishable-Key',
    description: 'A publishable key, `pk_…`; it may stand in clients.',
  },
  licenseKey: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'A licence key, as `License <key>`.',
  },
  operatorSocket: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Mintmark-Tenant',
    description:
      'No credential: the local socket of the appliance. The header names the tenant when there are several.',
  },
} as const;

const SCHEME_OF = { 'publishable-key': 'publishableKey', license: 'licenseKey' } as const;

/** Which credentials a demand accepts, any one of them; an empty row: none is needed. */
export function securityOf(demand: Demand): readonly Readonly<Record<string, readonly string[]>>[] {
  if (demand.operatorOnly === true) return [{ operatorSocket: [] }];
  const rows: Record<string, readonly string[]>[] = [{ secretKey: [] }, { operatorSocket: [] }];
  for (const kind of demand.also) rows.push(kind === 'anonymous' ? {} : { [SCHEME_OF[kind]]: [] });
  return rows;
}

/** The scope that a secret key needs for a demand; null: none. */
export function scopeOf(demand: Demand): string | null {
  return demand.operatorOnly === true ? null : demand.scope;
}

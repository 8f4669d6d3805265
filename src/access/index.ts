export { type Asked, authorise, type Decision, type Demand, type KeepAnswer, Permit } from './permit.ts';
export type { Principal, PrincipalKind, RealmName } from './principal.ts';
export { API_KEY_SCOPES, type Scope, SCOPES } from './scopes.ts';

import type { OperationNode } from 'kysely';
import { invariant } from '../lib/invariant.ts';
import { type TableName, TABLES } from './tables.ts';

declare const realmBrand: unique symbol;

/**
 * The number of a realm (tenant × environment) inside this database. It never leaves the process, and only a permit,
 * a directory look-up or a job's walk over all realms gives one.
 */
export type RealmId = number & { readonly [realmBrand]: true };

/** The realm of the appliance itself: what belongs to no tenant is sealed and recorded under it. */
export const SYSTEM_REALM = 0 as RealmId; // the one realm known before any row is read

/**
 * Brands a number read from a realm, directory or ledger row. Storage and `access/permit.ts` are the only callers;
 * the boundaries test holds them to it.
 */
export function realmIdOf(stored: number): RealmId {
  invariant(Number.isSafeInteger(stored) && stored >= 0, 'realm ids are small whole numbers');
  return stored as RealmId; // the brand is made here and nowhere else
}

/** Stands in a statement where the realm is bound at execution. */
export const REALM_PARAMETER: unique symbol = Symbol('realm');

/** What the checker learned of one statement. */
export interface StatementFacts {
  readonly tables: readonly TableName[];
  /** Whether a realm must be bound to run it. */
  readonly needsRealm: boolean;
  readonly writes: 'nothing' | 'bookkeeping' | 'recorded';
}

type Node = OperationNode & Record<string, unknown>;

/** One conjunct; `only` limits what it ties: the ON of an outer join restricts the joined table alone. */
interface Condition {
  readonly node: Node;
  readonly only: string | null;
}

interface Scope {
  /** alias → table, of the tables named in this query's FROM, JOIN, INTO or UPDATE. */
  readonly tables: Map<string, TableName>;
  readonly conditions: Condition[];
  readonly outer: Scope | null;
  readonly tied: Set<string>;
}

/**
 * Proves that every realm-owned table of a statement is tied to the realm parameter by `realm_id = …` (directly, or
 * through another tied table of the same query). An OR ties nothing. Raw SQL is refused.
 * @throws InvariantViolation when a table is not tied: the statement is never run.
 */
export function checkRealmScope(root: OperationNode): StatementFacts {
  const seen = new Set<TableName>();
  checkQuery(root as Node, null, seen);
  const tables = [...seen];
  return {
    tables,
    needsRealm: tables.some((name) => TABLES[name].scope === 'realm'),
    writes: writesOf(root as Node),
  };
}

function checkQuery(query: Node, outer: Scope | null, seen: Set<TableName>): void {
  const scope: Scope = { tables: new Map(), conditions: [], outer, tied: new Set() };
  collectTables(query, scope);
  collectConditions(query, scope);
  tie(scope);
  for (const [alias, table] of scope.tables) {
    seen.add(table);
    if (TABLES[table].scope !== 'realm') continue;
    if (query.kind === 'InsertQueryNode') checkInsert(query);
    else invariant(scope.tied.has(alias), `table ${table} is not tied to a realm in this statement`);
  }
  for (const child of children(query)) checkBelow(child, scope, seen);
}

function checkBelow(node: Node, scope: Scope, seen: Set<TableName>): void {
  if (isDirection(node)) return;
  invariant(node.kind !== 'RawNode', 'raw sql is refused outside storage/');
  if (isQuery(node)) {
    checkQuery(node, scope, seen);
    return;
  }
  for (const child of children(node)) checkBelow(child, scope, seen);
}

/** kysely itself writes `asc` and `desc` as fragments; they hold nothing else. */
function isDirection(node: Node): boolean {
  if (node.kind !== 'RawNode') return false;
  const fragments = node['sqlFragments'];
  return Array.isArray(fragments) && fragments.length === 1 && ['asc', 'desc'].includes(String(fragments[0]));
}

function isQuery(node: Node): boolean {
  return ['SelectQueryNode', 'UpdateQueryNode', 'DeleteQueryNode', 'InsertQueryNode'].includes(node.kind);
}

function children(node: Node): Node[] {
  const found: Node[] = [];
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (isNode(item)) found.push(item);
    }
  }
  return found;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
}

/** The tables a query names itself; those of its sub-queries belong to their own scopes. */
function collectTables(query: Node, scope: Scope): void {
  const places = [query['from'], query['into'], query['table'], query['using']];
  const joins = Array.isArray(query['joins']) ? (query['joins'] as unknown[]) : [];
  for (const place of [...places, ...joins.map((join) => (isNode(join) ? join['table'] : undefined))]) {
    if (isNode(place)) addTable(place, null, scope);
  }
}

function addTable(node: Node, alias: string | null, scope: Scope): void {
  if (node.kind === 'TableNode') {
    const name = tableName(node);
    scope.tables.set(alias ?? name, name);
    return;
  }
  if (node.kind === 'AliasNode') {
    const as = isNode(node['alias']) ? nameOf(node['alias']) : null;
    if (isNode(node['node'])) addTable(node['node'], as, scope);
    return;
  }
  if (isQuery(node)) return;
  for (const child of children(node)) addTable(child, null, scope);
}

function tableName(node: Node): TableName {
  const schemable = node['table'];
  const name = isNode(schemable) && isNode(schemable['identifier']) ? nameOf(schemable['identifier']) : null;
  invariant(name !== null && name in TABLES, `table ${String(name)} is not listed in tables.ts`);
  return name as TableName; // the line above proved it
}

function nameOf(identifier: Node): string | null {
  return typeof identifier['name'] === 'string' ? identifier['name'] : null;
}

function collectConditions(query: Node, scope: Scope): void {
  const where = query['where'];
  if (isNode(where) && isNode(where['where'])) addConjuncts(where['where'], null, scope);
  for (const join of Array.isArray(query['joins']) ? (query['joins'] as unknown[]) : []) {
    if (!isNode(join) || !isNode(join['on']) || !isNode(join['on']['on'])) continue;
    if (join['joinType'] === 'InnerJoin') addConjuncts(join['on']['on'], null, scope);
    if (join['joinType'] === 'LeftJoin') addConjuncts(join['on']['on'], joinedAlias(join), scope);
  }
}

function joinedAlias(join: Node): string {
  const joined: Scope = { tables: new Map(), conditions: [], outer: null, tied: new Set() };
  if (isNode(join['table'])) addTable(join['table'], null, joined);
  return [...joined.tables.keys()][0] ?? '';
}

function addConjuncts(node: Node, only: string | null, scope: Scope): void {
  if (node.kind === 'AndNode') {
    if (isNode(node['left'])) addConjuncts(node['left'], only, scope);
    if (isNode(node['right'])) addConjuncts(node['right'], only, scope);
  } else if (node.kind === 'ParensNode') {
    if (isNode(node['node'])) addConjuncts(node['node'], only, scope);
  } else {
    scope.conditions.push({ node, only });
  }
}

/** Spreads "tied" from the parameter over equalities until nothing changes. */
function tie(scope: Scope): void {
  for (let changed = true; changed;) {
    changed = false;
    for (const condition of scope.conditions) changed = tieOne(condition, scope) || changed;
  }
}

function tieOne({ node, only }: Condition, scope: Scope): boolean {
  if (node.kind !== 'BinaryOperationNode') return false;
  const { leftOperand, operator, rightOperand } = node;
  if (!isNode(operator) || operator['operator'] !== '=') return false;
  if (!isNode(leftOperand) || !isNode(rightOperand)) return false;
  const allowed = { scope, only };
  return tieSide(leftOperand, rightOperand, allowed) || tieSide(rightOperand, leftOperand, allowed);
}

function tieSide(column: Node, other: Node, { scope, only }: { scope: Scope; only: string | null }): boolean {
  const alias = realmColumnOf(column, scope);
  if (only !== null && alias !== only) return false;
  if (alias === null || !scope.tables.has(alias) || scope.tied.has(alias)) return false;
  const source = realmColumnOf(other, scope);
  if (!isRealmParameter(other) && (source === null || !isTied(source, scope))) return false;
  scope.tied.add(alias);
  return true;
}

function isTied(alias: string, scope: Scope | null): boolean {
  if (scope === null) return false;
  return scope.tables.has(alias) ? scope.tied.has(alias) : isTied(alias, scope.outer);
}

/** The alias whose `realm_id` this node is, or null. Without a table name it counts only where there is one table. */
function realmColumnOf(node: Node, scope: Scope): string | null {
  if (node.kind !== 'ReferenceNode' || !isNode(node['column'])) return null;
  const column = node['column']['column'];
  if (!isNode(column) || nameOf(column) !== 'realm_id') return null;
  if (isNode(node['table'])) {
    const schemable = node['table']['table'];
    return isNode(schemable) && isNode(schemable['identifier']) ? nameOf(schemable['identifier']) : null;
  }
  return scope.tables.size === 1 ? ([...scope.tables.keys()][0] ?? null) : null;
}

function isRealmParameter(node: Node): boolean {
  return node.kind === 'ValueNode' && node['value'] === REALM_PARAMETER;
}

/** An INSERT names `realm_id` among its columns and binds the parameter there in every row. */
function checkInsert(query: Node): void {
  const columns = Array.isArray(query['columns']) ? (query['columns'] as unknown[]) : [];
  const at = columns.findIndex((c) => isNode(c) && isNode(c['column']) && nameOf(c['column']) === 'realm_id');
  invariant(at >= 0, 'an insert into a realm-owned table names realm_id');
  const values = query['values'];
  invariant(
    isNode(values) && values.kind === 'ValuesNode',
    'an insert into a realm-owned table lists its values',
  );
  for (const row of values['values'] as Node[]) {
    const cell = (row['values'] as unknown[])[at];
    const bound = cell === REALM_PARAMETER || (isNode(cell) && isRealmParameter(cell));
    invariant(bound, 'an insert into a realm-owned table binds the realm parameter');
  }
}

function writesOf(root: Node): StatementFacts['writes'] {
  if (root.kind === 'SelectQueryNode') return 'nothing';
  const scope: Scope = { tables: new Map(), conditions: [], outer: null, tied: new Set() };
  const target = root['into'] ?? root['table'] ?? root['from'];
  invariant(isNode(target), 'a write names its table');
  addTable(target, null, scope);
  const kinds = [...scope.tables.values()].map((name) => TABLES[name].kind);
  return kinds.includes('recorded') ? 'recorded' : 'bookkeeping';
}

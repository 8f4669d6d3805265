import type { OperationNode } from 'kysely';
import { invariant } from '../lib/invariant.ts';
import {
  children,
  demandKnown,
  identifier,
  isQuery,
  member,
  members,
  nameOf,
  type Node,
  tableName,
} from './statement-nodes.ts';
import { KEPT_TABLES, type TableName, TABLES } from './tables.ts';

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
  /** By how many records the realm changes with each row that changes: 1 or -1; 0 for what is not counted. */
  readonly adds: 1 | 0 | -1;
}

/** One conjunct; `only` limits what it ties: the ON of an outer join restricts the joined table alone. */
interface Condition {
  readonly node: Node;
  readonly only: string | null;
}

interface Scope {
  /** alias → table, of everything named in this query's FROM, JOIN, INTO or UPDATE; null: a sub-query under an alias. */
  readonly sources: Map<string, TableName | null>;
  readonly conditions: Condition[];
  readonly outer: Scope | null;
  readonly tied: Set<string>;
}

/**
 * Proves that every realm-owned table of a statement is tied to the realm parameter by `realm_id = …` (directly, or
 * through another tied table of the same query). An OR ties nothing. What the checker does not know is refused.
 * @throws InvariantViolation when a table is not tied: the statement is never run.
 */
export function checkRealmScope(root: OperationNode): StatementFacts {
  const query = root as Node; // kysely's own type has no index signature; nothing is written
  invariant(isQuery(query), 'a statement is a query');
  const seen = new Set<TableName>();
  checkQuery(query, null, seen);
  const tables = [...seen];
  return {
    tables,
    needsRealm: tables.some((name) => TABLES[name].scope === 'realm'),
    ...writesOf(query),
  };
}

function checkQuery(query: Node, outer: Scope | null, seen: Set<TableName>): void {
  demandKnown(query);
  const scope: Scope = { sources: new Map(), conditions: [], outer, tied: new Set() };
  for (const place of placesOf(query)) addSource(place, null, scope);
  collectConditions(query, scope);
  if (query.kind === 'InsertQueryNode') checkInsert(query, scope);
  if (query.kind === 'UpdateQueryNode') checkAssignments(members(query, 'updates'), scope);
  tie(scope);
  demandTied(scope, seen);
  checkParts(query, scope, seen);
}

function demandTied(scope: Scope, seen: Set<TableName>): void {
  for (const [alias, table] of scope.sources) {
    if (table === null) continue;
    seen.add(table);
    const tied = TABLES[table].scope !== 'realm' || scope.tied.has(alias);
    invariant(tied, `table ${table} is not tied to a realm in this statement`);
  }
}

/**
 * Sub-queries in FROM, in a join and in a UNION see the query around this one; those in conditions and columns see
 * this one. (A name must be looked up where SQLite will look it up.)
 */
function checkParts(query: Node, scope: Scope, seen: Set<TableName>): void {
  const places = placesOf(query);
  for (const place of places) checkBelow(place, scope.outer, seen);
  for (const part of children(query)) {
    if (part.kind === 'SetOperationNode') checkBelow(part, scope.outer, seen);
    else if (part.kind === 'JoinNode') checkJoin(part, scope, seen);
    else if (!places.includes(part)) checkBelow(part, scope, seen);
  }
}

function checkJoin(join: Node, scope: Scope, seen: Set<TableName>): void {
  demandKnown(join);
  const on = member(join, 'on');
  if (on !== undefined) checkBelow(on, scope, seen);
}

function checkBelow(node: Node, scope: Scope | null, seen: Set<TableName>): void {
  demandKnown(node);
  if (isQuery(node)) {
    checkQuery(node, scope, seen);
    return;
  }
  for (const child of children(node)) checkBelow(child, scope, seen);
}

/** Where a query names its tables. */
function placesOf(query: Node): Node[] {
  const joined = members(query, 'joins').map((join) => member(join, 'table'));
  const places = [member(query, 'from'), member(query, 'into'), member(query, 'table'), ...joined];
  return places.filter((place) => place !== undefined);
}

function addSource(node: Node, alias: string | null, scope: Scope): void {
  if (node.kind === 'AliasNode') {
    const inner = member(node, 'node');
    invariant(inner !== undefined, 'an alias names something');
    addSource(inner, nameOf(member(node, 'alias')) ?? '', scope);
  } else if (node.kind === 'TableNode') {
    const table = tableName(node);
    name(scope, alias ?? table, table);
  } else if (node.kind === 'FromNode') {
    for (const from of members(node, 'froms')) addSource(from, null, scope);
  } else {
    invariant(node.kind === 'SelectQueryNode', `${node.kind} is not a source of rows`);
    name(scope, alias ?? '', null);
  }
}

function name(scope: Scope, alias: string, source: TableName | null): void {
  // SQLite takes L and l for the same name.
  const key = alias.toLowerCase();
  invariant(!scope.sources.has(key), `alias ${alias} names one source`);
  scope.sources.set(key, source);
}

function collectConditions(query: Node, scope: Scope): void {
  const where = member(query, 'where');
  if (where !== undefined) addConjuncts(member(where, 'where'), null, scope);
  for (const join of members(query, 'joins')) {
    const on = member(join, 'on');
    if (on === undefined) continue;
    addConjuncts(member(on, 'on'), join['joinType'] === 'InnerJoin' ? null : joinedAlias(join), scope);
  }
}

function joinedAlias(join: Node): string {
  const joined: Scope = { sources: new Map(), conditions: [], outer: null, tied: new Set() };
  const table = member(join, 'table');
  if (table !== undefined) addSource(table, null, joined);
  return [...joined.sources.keys()][0] ?? '';
}

function addConjuncts(node: Node | undefined, only: string | null, scope: Scope): void {
  if (node?.kind === 'AndNode') {
    addConjuncts(member(node, 'left'), only, scope);
    addConjuncts(member(node, 'right'), only, scope);
  } else if (node?.kind === 'ParensNode') {
    addConjuncts(member(node, 'node'), only, scope);
  } else if (node !== undefined) {
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
  const [left, right] = [member(node, 'leftOperand'), member(node, 'rightOperand')];
  if (node.kind !== 'BinaryOperationNode' || left === undefined || right === undefined) return false;
  if (member(node, 'operator')?.['operator'] !== '=') return false;
  const allowed = { scope, only };
  return tieSide(left, right, allowed) || tieSide(right, left, allowed);
}

function tieSide(column: Node, other: Node, { scope, only }: { scope: Scope; only: string | null }): boolean {
  const alias = realmColumnOf(column, scope);
  if (only !== null && alias !== only) return false;
  if (alias === null || !scope.sources.has(alias) || scope.tied.has(alias)) return false;
  const source = realmColumnOf(other, scope);
  if (!isRealmParameter(other) && (source === null || !isTied(source, scope))) return false;
  scope.tied.add(alias);
  return true;
}

function isTied(alias: string, scope: Scope | null): boolean {
  if (scope === null) return false;
  return scope.sources.has(alias) ? scope.tied.has(alias) : isTied(alias, scope.outer);
}

/** The alias whose `realm_id` this node is, or null. Without a table name it counts only where there is one source. */
function realmColumnOf(node: Node, scope: Scope): string | null {
  const column = member(node, 'column');
  if (node.kind !== 'ReferenceNode' || column === undefined) return null;
  if (nameOf(member(column, 'column')) !== 'realm_id') return null;
  const table = member(node, 'table');
  if (table !== undefined) return identifier(member(table, 'table'))?.toLowerCase() ?? null;
  return scope.sources.size === 1 ? ([...scope.sources.keys()][0] ?? null) : null;
}

function isRealmParameter(node: unknown): boolean {
  if (node === REALM_PARAMETER) return true;
  const value = node as Partial<Node> | null; // a member of kysely's tree: a node, or a value
  return value?.kind === 'ValueNode' && value['value'] === REALM_PARAMETER;
}

/** An INSERT into a realm-owned table names `realm_id` among its columns and binds the parameter there in every row. */
function checkInsert(query: Node, scope: Scope): void {
  const [alias, table] = [...scope.sources][0] ?? [];
  if (alias === undefined || table === undefined || table === null) return;
  if (TABLES[table].scope !== 'realm') return;
  checkRows(query);
  checkConflict(member(query, 'onConflict'), scope);
  scope.tied.add(alias);
}

function checkRows(query: Node): void {
  // REPLACE INTO deletes whatever row is in the way, another realm's too.
  invariant(query['replace'] !== true, 'a row of a realm-owned table is never replaced');
  const at = members(query, 'columns').findIndex((c) => nameOf(member(c, 'column')) === 'realm_id');
  invariant(at >= 0, 'an insert into a realm-owned table names realm_id');
  const values = member(query, 'values');
  invariant(values?.kind === 'ValuesNode', 'an insert into a realm-owned table lists its values');
  for (const row of members(values, 'values')) {
    const cells = row['values'];
    const bound = Array.isArray(cells) && isRealmParameter(cells[at]);
    invariant(bound, 'an insert into a realm-owned table binds the realm parameter');
  }
}

/** What an upsert changes is the row it met: in another realm, unless `realm_id` is part of what they have in common. */
function checkConflict(conflict: Node | undefined, scope: Scope): void {
  if (conflict === undefined || conflict['doNothing'] === true) return;
  const target = members(conflict, 'columns').map((column) => nameOf(member(column, 'column')));
  invariant(target.includes('realm_id'), 'an upsert of a realm-owned table meets its row by realm_id');
  checkAssignments(members(conflict, 'updates'), scope);
}

/** A row never moves to another realm. */
function checkAssignments(assignments: readonly Node[], scope: Scope): void {
  const owned = [...scope.sources.values()].some(
    (table) => table !== null && TABLES[table].scope === 'realm',
  );
  for (const assignment of assignments) {
    const column = assignedColumn(assignment);
    invariant(column !== undefined, 'an assignment names its column');
    invariant(!owned || column !== 'realm_id', 'a row never moves to another realm');
  }
}

function assignedColumn(assignment: Node): string | undefined {
  let node: Node | undefined = member(assignment, 'column');
  while (node !== undefined && node.kind !== 'IdentifierNode') node = member(node, 'column');
  return nameOf(node)?.toLowerCase();
}

function writesOf(root: Node): Pick<StatementFacts, 'writes' | 'adds'> {
  if (root.kind === 'SelectQueryNode') return { writes: 'nothing', adds: 0 };
  const scope: Scope = { sources: new Map(), conditions: [], outer: null, tied: new Set() };
  const target = member(root, 'into') ?? member(root, 'table') ?? member(root, 'from');
  invariant(target !== undefined, 'a write names its table');
  addSource(target, null, scope);
  const tables = [...scope.sources.values()].filter((table) => table !== null);
  const recorded = tables.some((table) => TABLES[table].kind === 'recorded');
  const adds = tables.some((table) => KEPT_TABLES.has(table)) ? addsOf(root) : 0;
  return { writes: recorded ? 'recorded' : 'bookkeeping', adds };
}

/** An upsert says that a row changed, and not whether it is new: rows that are counted are never stored by one. */
function addsOf(root: Node): StatementFacts['adds'] {
  if (root.kind === 'UpdateQueryNode') return 0;
  if (root.kind === 'DeleteQueryNode') return -1;
  const conflict = member(root, 'onConflict');
  invariant(
    conflict === undefined || conflict['doNothing'] === true,
    'a row of a table that is counted is inserted or updated, never either',
  );
  return 1;
}

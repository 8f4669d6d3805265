import type { OperationNode } from 'kysely';
import { invariant } from '../lib/invariant.ts';
import { type TableName, TABLES } from './tables.ts';

/** A node of kysely's syntax tree, read without its types: the checker looks at every member of every node. */
export type Node = OperationNode & Readonly<Record<string, unknown>>;

/**
 * The whole language of statements. What is not here is refused, however harmless: a kind of node that the checker does
 * not know could name a table behind its back (WITH, MERGE, OR REPLACE, RETURNING, raw fragments…).
 */
const LANGUAGE: ReadonlySet<string> = new Set([
  ...['SelectQueryNode', 'InsertQueryNode', 'UpdateQueryNode', 'DeleteQueryNode', 'SetOperationNode'],
  ...['FromNode', 'JoinNode', 'OnNode', 'WhereNode', 'GroupByNode', 'GroupByItemNode', 'HavingNode'],
  ...['OrderByNode', 'OrderByItemNode', 'LimitNode', 'OffsetNode', 'SelectModifierNode', 'OnConflictNode'],
  ...['SelectionNode', 'SelectAllNode', 'AliasNode', 'ReferenceNode', 'ColumnNode', 'TableNode'],
  ...['SchemableIdentifierNode', 'IdentifierNode', 'SimpleReferenceExpressionNode', 'ColumnUpdateNode'],
  ...['AndNode', 'OrNode', 'ParensNode', 'BinaryOperationNode', 'UnaryOperationNode', 'OperatorNode'],
  ...['ValueNode', 'ValueListNode', 'PrimitiveValueListNode', 'ValuesNode', 'DefaultInsertValueNode'],
  ...['TupleNode', 'FunctionNode', 'AggregateFunctionNode', 'CaseNode', 'WhenNode'],
  ...['CastNode', 'DataTypeNode'],
]);

const QUERIES = ['SelectQueryNode', 'UpdateQueryNode', 'DeleteQueryNode', 'InsertQueryNode'];
/** Joins after which a condition of ON or WHERE still says what this checker takes it to say. */
const JOINS = ['InnerJoin', 'LeftJoin'];
/** kysely writes the name of a function into the SQL as it is. */
const FUNCTION_NAME = /^[a-z_]+$/i;

/** Demands that a node is part of the language of statements. @throws InvariantViolation when a node is not part of the language of statements. */
export function demandKnown(node: Node): void {
  invariant(node.kind !== 'RawNode', 'raw sql is refused outside storage/');
  invariant(LANGUAGE.has(node.kind), `${node.kind} is not part of the language of statements`);
  if (node.kind === 'JoinNode') {
    invariant(
      JOINS.includes(String(node['joinType'])),
      `${String(node['joinType'])} is not checked for realms`,
    );
  }
  if (node.kind === 'FunctionNode' || node.kind === 'AggregateFunctionNode') {
    invariant(FUNCTION_NAME.test(String(node['func'])), 'the name of a function is a name');
  }
  invariant(!members(node, 'selections').some(selectsAll), 'queries name their columns');
  if (node.kind === 'SchemableIdentifierNode') {
    invariant(node['schema'] === undefined, 'there is one schema, and nobody names it');
  }
}

function selectsAll(selection: Node): boolean {
  const selected = selection['selection'];
  if (!isNode(selected)) return false;
  return selected.kind === 'SelectAllNode' || member(selected, 'column')?.kind === 'SelectAllNode';
}

/** True for the four kinds of query, which open a scope of their own. */
export function isQuery(node: Node): boolean {
  return QUERIES.includes(node.kind);
}

/** The nodes directly below, in any member. `asc` and `desc`, which kysely writes as fragments, are no nodes. */
export function children(node: Node): Node[] {
  return Object.values(node)
    .flatMap((value: unknown): unknown[] => (Array.isArray(value) ? value : [value]))
    .filter(isNode)
    .filter((child) => !isDirection(child));
}

/** The node in a member; undefined when there is none. */
export function member(node: Node, name: string): Node | undefined {
  const value = node[name];
  return isNode(value) ? value : undefined;
}

/** The nodes in a member that holds a list. */
export function members(node: Node, name: string): Node[] {
  const value: unknown = node[name];
  const list: unknown[] = Array.isArray(value) ? value : [];
  return list.filter(isNode);
}

/** The table a TableNode names. @throws InvariantViolation when it is not listed in tables.ts. */
export function tableName(node: Node): TableName {
  const name = identifier(member(node, 'table'));
  invariant(name !== undefined && Object.hasOwn(TABLES, name), `table ${String(name)} is not in tables.ts`);
  return name as TableName; // the line above proved it
}

/** The name in a SchemableIdentifierNode. */
export function identifier(schemable: Node | undefined): string | undefined {
  return schemable === undefined ? undefined : nameOf(member(schemable, 'identifier'));
}

/** The name in an IdentifierNode. */
export function nameOf(node: Node | undefined): string | undefined {
  return typeof node?.['name'] === 'string' ? node['name'] : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
}

function isDirection(node: Node): boolean {
  if (node.kind !== 'RawNode') return false;
  const fragments = node['sqlFragments'];
  return Array.isArray(fragments) && fragments.length === 1 && /^(asc|desc)$/.test(String(fragments[0]));
}

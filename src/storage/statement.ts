import {
  type Compilable,
  DummyDriver,
  Kysely,
  type OperationNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { invariant } from '../lib/invariant.ts';
import { checkRealmScope, REALM_PARAMETER, type RealmId, type StatementFacts } from './realm-scope.ts';
import type { Schema } from './schema.ts';

/** What SQLite stores. Booleans are 0 and 1. */
export type SqlValue = string | number | bigint | Buffer | null;

/** kysely as a typed writer of SQL; it never executes anything here. */
export type QueryBuilder = Kysely<Schema>;

/**
 * Writes parameters as `+?`. The planner of a SQLite with STAT4 looks into the value of a bare `?` in a join, and then
 * plans the statement anew at every execution, because the next value may be another: measured, a join of five tables
 * takes 75 µs instead of 6. Behind a unary plus (a no-op for every type) it does not look.
 */
class StableCompiler extends SqliteQueryCompiler {
  protected override getCurrentParameterPlaceholder(): string {
    return '+?';
  }
}

const builder: QueryBuilder = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new StableCompiler(),
  },
});

/** A named hole in a statement, filled at execution. */
class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

type Built = Compilable & { toOperationNode(): OperationNode };
type Slot = { readonly hole: string } | { readonly realm: true } | { readonly value: SqlValue };

/**
 * A statement written and checked once: SQL text, where its parameters go, and what it touches.
 * `P` names the parameters, `Row` is what one row of the answer looks like.
 */
export class Statement<P, Row> {
  readonly sql: string;
  readonly facts: StatementFacts;
  readonly #slots: readonly Slot[];
  /** Only for the type checker: rows and parameters do not exist at run time. */
  declare readonly row: Row;
  declare readonly parameters: P;

  constructor(query: Built, checked?: CheckedTexts) {
    const compiled = query.compile();
    this.sql = compiled.sql;
    this.#slots = compiled.parameters.map(slotOf);
    const check = (): StatementFacts => checkRealmScope(query.toOperationNode());
    this.facts = checked === undefined ? check() : checked.factsOf(this.sql, this.#slots, check);
  }

  /** The values to bind, in order. `realm` is required when the statement touches a realm-owned table. */
  bind(parameters: Readonly<Record<string, SqlValue>>, realm: RealmId | null): SqlValue[] {
    return this.#slots.map((slot) => {
      if ('hole' in slot) return filled(parameters[slot.hole], slot.hole);
      return 'realm' in slot ? boundRealm(realm) : slot.value;
    });
  }
}

/** More than the lists of the API have combinations of filters that anybody uses. */
const CHECKED_TEXTS = 256;

/**
 * What was learned of dynamic statements. Whether rows of another realm can be reached follows from the text and from which
 * of its parameters are the realm, whatever the others are: the same is not proven twice.
 */
class CheckedTexts {
  readonly #facts = new Map<string, StatementFacts>();

  /** @throws InvariantViolation when the check refuses it: that is not remembered */
  factsOf(sql: string, slots: readonly Slot[], check: () => StatementFacts): StatementFacts {
    const key = `${sql} ${slots.map((slot) => ('realm' in slot ? 'r' : '-')).join('')}`;
    const known = this.#facts.get(key);
    if (known !== undefined) return known;
    const facts = check();
    if (this.#facts.size >= CHECKED_TEXTS) this.#facts.clear();
    this.#facts.set(key, facts);
    return facts;
  }
}

function slotOf(parameter: unknown): Slot {
  if (parameter instanceof Placeholder) return { hole: parameter.name };
  if (parameter === REALM_PARAMETER) return { realm: true };
  return { value: parameter as SqlValue }; // a constant written in the query; SQLite refuses anything else
}

function filled(value: SqlValue | undefined, name: string): SqlValue {
  if (value === undefined) throw new TypeError(`statement parameter ${name} is missing`);
  return value;
}

function boundRealm(realm: RealmId | null): number {
  if (realm === null) throw new TypeError('a statement on realm-owned rows was run without a realm');
  return realm;
}

type RowOf<Q> = Q extends Compilable<infer Row> ? Row : never;
type Holes<P> = P & { readonly realm: RealmId };

const registered: Statement<never, unknown>[] = [];
const dynamic = new CheckedTexts();

/**
 * Declares a statement: `statement<{ id: string }>()((db, p) => db.selectFrom('licenses')…where('id', '=', p.id))`.
 * `p.realm` is the realm the caller's permit names; it is bound by `tx.in(realm)`, never passed.
 * Written at module level of a store: compiled and checked once, when the program starts.
 * @throws InvariantViolation when a realm-owned table is not tied to `p.realm`.
 */
export function statement<P extends object = object>() {
  return <Q extends Built>(build: (db: QueryBuilder, p: Holes<P>) => Q): Statement<P, RowOf<Q>> => {
    const made = new Statement<P, RowOf<Q>>(build(builder, holes<P>()));
    registered.push(made as unknown as Statement<never, unknown>); // kept for preparation and tests, never run from here
    return made;
  };
}

/**
 * Declares a statement that writes rows of recorded tables and changes nothing that they say: the same value under another
 * key. It needs no ledger entry. Nothing but `sealed-walks.ts` declares one.
 */
export function upkeepStatement<P extends object = object>() {
  return <Q extends Built>(build: (db: QueryBuilder, p: Holes<P>) => Q): Statement<P, RowOf<Q>> => {
    const made = statement<P>()(build);
    invariant(made.facts.adds === 0, 'upkeep neither adds nor removes rows');
    return Object.assign(made, { facts: { ...made.facts, writes: 'bookkeeping' as const } });
  };
}

/** A statement whose text depends on the request (filters, sorting), made for one use; each text is checked like any other. */
export function dynamicStatement<Q extends Built>(
  build: (db: QueryBuilder, p: Holes<object>) => Q,
): Statement<object, RowOf<Q>> {
  return new Statement<object, RowOf<Q>>(build(builder, holes<object>()), dynamic);
}

/** All statements declared so far: prepared at start, and examined by the tests. */
export function registeredStatements(): readonly Statement<never, unknown>[] {
  return registered;
}

function holes<P>(): Holes<P> {
  const get = (_: object, name: string | symbol): unknown =>
    name === 'realm' ? REALM_PARAMETER : new Placeholder(String(name));
  // The holes pose as values of the parameters' types, so that kysely checks the columns they are compared with.
  return new Proxy({}, { get }) as Holes<P>;
}

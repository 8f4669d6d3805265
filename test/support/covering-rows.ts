/** Every value that each of several settings can have. */
export type Axes = Readonly<Record<string, readonly (string | number | boolean | null)[]>>;

/** One choice for every setting. */
export type RowOf<A extends Axes> = { readonly [Name in keyof A]: A[Name][number] };

/** How much of the cross product is wanted. */
export interface Coverage<A extends Axes> {
  /** 2: any two settings meet with all their values; 3: any three. */
  readonly strength: 2 | 3;
  /** Whether settings can not occur together, told of a part of a row as well. */
  readonly impossible?: (part: Partial<RowOf<A>>) => boolean;
}

/** A setting with one of its values, by its place in one long list: what is to be covered is a sorted list of those. */
type Choice = number;

interface Setting {
  readonly name: string;
  readonly choices: readonly Choice[];
}

/**
 * Rows that show every pair, or every triple, of values at least once, in far fewer rows than the cross product: a greedy
 * covering array. The same settings give the same rows.
 */
export function coveringRows<A extends Axes>(axes: A, coverage: Coverage<NoInfer<A>>): RowOf<A>[] {
  const values = Object.values(axes).flat();
  let next = 0;
  const settings = Object.entries(axes).map(([name, own]) => ({ name, choices: own.map(() => next++) }));
  const rowOf = (choices: ReadonlyMap<string, Choice>) =>
    // Keys and values are those of the axes.
    Object.fromEntries([...choices].map(([name, choice]) => [name, values[choice]])) as Partial<RowOf<A>>;
  const possible = (choices: ReadonlyMap<string, Choice>): boolean =>
    coverage.impossible?.(rowOf(choices)) !== true;
  const missing = new Map(
    tuplesOf(settings, coverage.strength)
      .filter((tuple) => possible(tuple))
      .map((tuple) => [keyOf([...tuple.values()]), tuple]),
  );
  const rows: RowOf<A>[] = [];
  for (const tuple of missing.values()) {
    const chosen = fill({ settings, missing, possible, tuple, strength: coverage.strength });
    for (const key of keysWithin([...chosen.values()], coverage.strength)) missing.delete(key);
    // Filled: every setting has its choice.
    rows.push(rowOf(chosen) as RowOf<A>);
  }
  return rows;
}

/**
 * Rows that differ from `base` in at most `most` settings: what a single cause, or two or three together, come to when
 * nothing else stands in the way and hides it.
 */
export function rowsNear<A extends Axes>(axes: A, base: RowOf<NoInfer<A>>, most: number): RowOf<A>[] {
  const sizes = Array.from({ length: most + 1 }, (_, size) => size);
  return sizes
    .flatMap((size) => combinations(Object.keys(axes), size))
    .flatMap((some) =>
      some.reduce<RowOf<A>[]>((rows, name) => rows.flatMap((row) => elsewhere(axes, row, name)), [base]),
    );
}

/** The row with every other value of one setting. */
function elsewhere<A extends Axes>(axes: A, row: RowOf<A>, name: string): RowOf<A>[] {
  return (axes[name] ?? [])
    .filter((value) => value !== row[name])
    .map((value) => ({ ...row, [name]: value }));
}

interface Filling {
  readonly settings: readonly Setting[];
  readonly missing: ReadonlyMap<string, unknown>;
  readonly possible: (choices: ReadonlyMap<string, Choice>) => boolean;
  readonly tuple: ReadonlyMap<string, Choice>;
  readonly strength: number;
}

/** Completes a row, setting by setting, each time with what covers most of what is still missing. */
function fill({ settings, missing, possible, tuple, strength }: Filling): Map<string, Choice> {
  const chosen = new Map(tuple);
  for (const { name, choices } of settings.filter((setting) => !tuple.has(setting.name))) {
    const others = combinations([...chosen.values()], strength - 1);
    const gain = (choice: Choice): number =>
      others.filter((other) => missing.has(keyOf([...other, choice]))).length;
    const open = choices.filter((choice) => possible(new Map(chosen).set(name, choice)));
    const [best] = open
      .map((choice) => ({ choice, gain: gain(choice) }))
      .sort((one, other) => other.gain - one.gain);
    if (best === undefined) throw new Error(`no value of ${name} goes with ${[...chosen.keys()].join(', ')}`);
    chosen.set(name, best.choice);
  }
  return chosen;
}

function tuplesOf(settings: readonly Setting[], strength: number): ReadonlyMap<string, Choice>[] {
  return combinations(settings, strength).flatMap((some) =>
    some.reduce<Map<string, Choice>[]>(
      (tuples, { name, choices }) =>
        tuples.flatMap((tuple) => choices.map((choice) => new Map(tuple).set(name, choice))),
      [new Map<string, Choice>()],
    ),
  );
}

/** All ways to take `size` of the items, in their order. */
function combinations<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, at) =>
    combinations(items.slice(at + 1), size - 1).map((rest) => [item, ...rest]),
  );
}

function keysWithin(choices: readonly Choice[], strength: number): string[] {
  return combinations(choices, strength).map(keyOf);
}

const keyOf = (choices: readonly Choice[]): string => [...choices].sort((a, b) => a - b).join();

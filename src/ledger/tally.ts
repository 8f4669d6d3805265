/** A name and how often it was counted. */
export interface Counted {
  readonly name: string;
  readonly count: number;
}

/** The name under which everything beyond a tally's bound is counted. */
const OTHER = 'other';

/** Exact counts by name for the first `capacity` names, and one count for all names after them. */
export class Tally {
  readonly #capacity: number;
  readonly #counts = new Map<string, number>();
  #other = 0;
  #total = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#counts.size;
  }

  get total(): number {
    return this.#total;
  }

  add(name: string, count = 1): void {
    this.#total += count;
    const known = this.#counts.get(name);
    if (known !== undefined || this.#counts.size < this.#capacity)
      this.#counts.set(name, (known ?? 0) + count);
    else this.#other += count;
  }

  /** The `limit` largest counts by name, and the rest as `other` when there is a rest. */
  busiest(limit: number): Record<string, number> {
    const ranked = [...this.#counts].sort(([, a], [, b]) => b - a);
    const rest = ranked.slice(limit).reduce((sum, [, count]) => sum + count, this.#other);
    return Object.fromEntries([...ranked.slice(0, limit), ...(rest > 0 ? [[OTHER, rest] as const] : [])]);
  }
}

/**
 * Finds the most frequent names of an endless stream in bounded memory (Misra and Gries, 1982): a name that makes up
 * more than 1/capacity of the stream is always found. Counts are exact while there are at most `capacity` names, and
 * lower bounds after that.
 */
export class HeavyHitters {
  readonly #capacity: number;
  readonly #counts = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#counts.size;
  }

  add(name: string): void {
    const known = this.#counts.get(name);
    if (known !== undefined || this.#counts.size < this.#capacity) this.#counts.set(name, (known ?? 0) + 1);
    else this.#decrementAll();
  }

  /** The `limit` most frequent names, most frequent first. */
  busiest(limit: number): Counted[] {
    return [...this.#counts]
      .map(([name, count]) => ({ name, count }))
      .sort((a, b) => b.count - a.count)
      .slice(0, limit);
  }

  /** Costs `capacity` steps, and each of them was paid for by an earlier increment: constant on average. */
  #decrementAll(): void {
    for (const [name, count] of this.#counts) {
      if (count === 1) this.#counts.delete(name);
      else this.#counts.set(name, count - 1);
    }
  }
}

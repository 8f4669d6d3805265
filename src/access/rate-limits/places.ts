import { hash } from 'node:crypto';

/**
 * Names that are kept apart. A caller may make up as many fingerprints as he likes: they fall into these places, so that
 * memory is bounded (about 20 MiB a table when all are in use) and nobody's count is thrown out for another's. At 10 000 made
 * up names a second a place gets 9 of them a minute: below every limit, so that nobody is refused for them either.
 */
const COUNT = 65_536;

/** Folds names that anybody can make up into a fixed number of places, by a keyed digest: secrets stay out of memory. */
export class Places {
  readonly #salt: string;

  /** @param salt random, so that nobody can find a name that shares the place of another */
  constructor(salt: Buffer) {
    this.#salt = salt.toString('hex');
  }

  /** The place of these parts, in this order. */
  of(...parts: readonly string[]): string {
    const text = `${this.#salt}${JSON.stringify(parts)}`;
    return String(Number.parseInt(hash('sha256', text, 'hex').slice(0, 8), 16) % COUNT);
  }
}

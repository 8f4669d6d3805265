import { createHash } from 'node:crypto';

/** Bits of a digest that are kept: a double holds them exactly. A thousand million keys clash once in ten thousand files. */
const DIGEST_BYTES = 6;
const FIRST_PLACES = 1 << 16;
const FULL = 0.7;

/** Remembers which keys a file has had, at some 16 bytes each. */
export class SeenKeys {
  #places = new Float64Array(FIRST_PLACES);
  #count = 0;

  /** Remembers a key as the appliance stores imported ones; true when it was there before. */
  add(key: string): boolean {
    const digest = createHash('sha256').update(key.normalize('NFC').trim()).digest();
    // 0 stands for an empty place.
    const name = digest.readUIntBE(0, DIGEST_BYTES) + 1;
    if (this.#count > this.#places.length * FULL) this.#grow();
    const known = put(this.#places, name);
    if (!known) this.#count += 1;
    return known;
  }

  #grow(): void {
    const places = new Float64Array(this.#places.length * 2);
    for (const name of this.#places) if (name !== 0) put(places, name);
    this.#places = places;
  }
}

/** Open addressing; true when the name was there. */
function put(places: Float64Array, name: number): boolean {
  let at = name % places.length;
  while (places[at] !== 0) {
    if (places[at] === name) return true;
    at = (at + 1) % places.length;
  }
  places[at] = name;
  return false;
}

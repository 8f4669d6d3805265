import { randomFillSync } from 'node:crypto';

/** Where random bytes come from. Only tests give anything but the system's generator. */
export interface Random {
  /** `length` fresh bytes, fit for keys and nonces. */
  bytes(length: number): Buffer;
}

/** Bytes are drawn from the kernel in blocks of this size: one call per id or nonce costs 1–2 µs each. */
const POOL_BYTES = 4096;

class PooledRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;

  bytes(length: number): Buffer {
    if (length > POOL_BYTES / 4) return randomFillSync(Buffer.alloc(length));
    if (this.#used + length > POOL_BYTES) this.#refill();
    const taken = Buffer.from(this.#pool.subarray(this.#used, this.#used + length));
    // A byte handed out is wiped here, so that no key stays behind in the pool.
    this.#pool.fill(0, this.#used, this.#used + length);
    this.#used += length;
    return taken;
  }

  #refill(): void {
    randomFillSync(this.#pool);
    this.#used = 0;
  }
}

/** The operating system's generator. */
export const systemRandom: Random = new PooledRandom();

import type { SigningKey } from '../../custody/index.ts';
import { present } from '../../lib/invariant.ts';
import type { KeyedProduct } from '../../licensing/index.ts';
import type { Changed } from './change-keys.ts';

/** A key that came into a state, and the bundle that says so. */
export interface ChangedKey {
  readonly key: SigningKey;
  /** Number of the bundle; null: no bundle speaks of this key. */
  readonly bundleSeq: number | null;
}

/** A key that got a successor. */
export interface RotatedKey extends ChangedKey {
  /** kid of the key before it. */
  readonly replaces: string;
  /** Products that go on with the key before it, until somebody moves them. */
  readonly products: readonly KeyedProduct[];
}

/** One of the keys that a change was about, as it is after the commit. */
export function changedKey({ keys, bundleSeq }: Changed, kid: string): ChangedKey {
  const key = present(
    keys.find((one) => one.kid === kid),
    'a change returns what it changed',
  );
  return { key, bundleSeq };
}

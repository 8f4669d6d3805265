import { invariant } from '../../lib/invariant.ts';
import type { KeyAlgorithm } from '../custodian.ts';

const ALGORITHMS: readonly KeyAlgorithm[] = ['ed25519', 'ecdsa-p256'];

/** The algorithm of this name. */
export function keyAlgorithm(name: string): KeyAlgorithm {
  const found = ALGORITHMS.find((algorithm) => algorithm === name);
  invariant(found !== undefined, `${name} is a signature algorithm`);
  return found;
}

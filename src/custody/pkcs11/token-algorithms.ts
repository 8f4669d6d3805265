import type { KeyAlgorithm } from '../custodian.ts';
import { CKM } from './cryptoki.ts';

/** What a token must have for an algorithm, the better one first. */
const NEEDS: readonly (readonly [algorithm: KeyAlgorithm, mechanisms: readonly number[]])[] = [
  ['ed25519', [CKM.EC_EDWARDS_KEY_PAIR_GEN, CKM.EDDSA]],
  ['ecdsa-p256', [CKM.EC_KEY_PAIR_GEN, CKM.ECDSA]],
];

/** The signature algorithms that a token with these mechanisms has, best first. */
export function algorithmsOf(mechanisms: readonly number[]): KeyAlgorithm[] {
  return NEEDS.filter(([, needed]) => needed.every((number) => mechanisms.includes(number))).map(
    ([algorithm]) => algorithm,
  );
}

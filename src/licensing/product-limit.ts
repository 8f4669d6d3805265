import type { Permit } from '../access/index.ts';

/** The products that a caller is limited to, each once; null: none, he sees all. */
export function productsOf({ principal }: Permit): readonly string[] | null {
  if (principal.kind !== 'secret-key' && principal.kind !== 'publishable-key') return null;
  const { products = [] } = principal;
  return products.length === 0 ? null : [...new Set(products)];
}

/**
 * The products that each arm of a `UNION ALL` reads: one apart from the other, when the index of a product has its rows in
 * order; all in one, when another filter finds the few rows that there are. Null: of all products.
 */
export function armsOf(
  products: readonly string[] | null,
  isNarrow: boolean,
): readonly (readonly string[] | null)[] {
  return products === null || isNarrow ? [products] : products.map((id) => [id]);
}

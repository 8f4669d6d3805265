import type { Permit } from '../access/index.ts';

/** The products that a caller is limited to; null: none, he sees all. */
export function productsOf({ principal }: Permit): readonly string[] | null {
  if (principal.kind !== 'secret-key' && principal.kind !== 'publishable-key') return null;
  const { products = [] } = principal;
  return products.length === 0 ? null : products;
}

/** A part of a list: how many rows, and in which order. */
export interface ListPart<Row> {
  readonly limit: number;
  readonly compare: (a: Row, b: Row) => number;
}

/**
 * A part of a list that shows rows of these products alone (null: of all). Each product is read for itself, by its index, and
 * the parts are merged: rows of other products neither fill a page nor say that there is another, and cost nothing.
 * @param read the first `limit` rows of one product; of all when it is given none
 */
export function acrossProducts<Row>(
  products: readonly string[] | null,
  { limit, compare }: ListPart<Row>,
  read: (productId: string | undefined) => readonly Row[],
): readonly Row[] {
  if (products === null) return read(undefined);
  return products.flatMap(read).sort(compare).slice(0, limit);
}

/** The order of rows that are numbered as they are made. */
export function byCreation(descending: boolean) {
  const sign = descending ? -1 : 1;
  return (a: { readonly seq: number }, b: { readonly seq: number }): number => sign * (a.seq - b.seq);
}

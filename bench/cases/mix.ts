import { seeded } from '../../test/campaigns/seeded.ts';

/** Kinds of requests of a mixed load and their shares, percent. */
export const MIX = [
  { kind: 'validate', share: 80 },
  { kind: 'heartbeat', share: 15 },
  { kind: 'activate or deactivate', share: 4 },
  { kind: 'checkout', share: 1 },
] as const;

/** One kind. */
export type Kind = (typeof MIX)[number]['kind'];

/** The kinds in an order that looks like chance and is the same each time; of every hundred each has its share. */
export function shuffledMix(): (i: number) => Kind {
  const random = seeded(1);
  const kinds = MIX.flatMap(({ kind, share }) => Array.from({ length: share }, () => kind));
  const order = kinds.map((kind) => ({ kind, at: random() })).toSorted((a, b) => a.at - b.at);
  return (i) => order[i % order.length]?.kind ?? 'validate';
}

/** An entitlement as a file of licences names it. */
export interface NamedEntitlement {
  /** Code or id. */
  readonly name: string;
  /** As it stands there; null: as long as the licence. */
  readonly expiresAt: string | null;
}

/** Neither codes nor ids have it, nor has a time. */
const UNTIL = '@';
const BETWEEN = /[\s,;|]+/u;

/** `pro@2027-01-31T12:00:00.000Z`, or `pro` for as long as the licence: how a file says what a licence has itself. */
export function heldUntil(code: string, expiresAt: string | null): string {
  return expiresAt === null ? code : `${code}${UNTIL}${expiresAt}`;
}

/**
 * What a cell, or an array of texts, names; undefined: it is neither.
 * Null in the place of what is not a text.
 */
export function entitlementCodes(value: unknown): (NamedEntitlement | null)[] | undefined {
  const texts: unknown =
    typeof value === 'string' ? value.split(BETWEEN).filter((text) => text !== '') : value;
  if (!Array.isArray(texts)) return undefined;
  return texts.map((text: unknown) => (typeof text === 'string' ? namedIn(text.trim()) : null));
}

function namedIn(text: string): NamedEntitlement {
  const at = text.indexOf(UNTIL);
  if (at < 0) return { name: text, expiresAt: null };
  return { name: text.slice(0, at), expiresAt: text.slice(at + 1) };
}

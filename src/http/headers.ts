/**
 * What every answer carries, and why. An API has nothing to frame, script, cache or share; a browser that is led here
 * all the same is told so.
 */
export const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

/** Name, value, name, value: the form that is written to the socket in one pass. */
export type HeaderList = string[];

/** The headers of every answer of an appliance; `constant` adds those of this one (a dev appliance names itself). */
export function standingHeaders(constant: Readonly<Record<string, string>>): HeaderList {
  return Object.entries({ ...SECURITY_HEADERS, ...constant }).flat();
}

/** A copy of `base` with the values of `own` instead of, or after, its own. */
export function withHeaders(base: HeaderList, own: Readonly<Record<string, string>>): HeaderList {
  const list = base.slice();
  for (const [name, value] of Object.entries(own)) {
    const at = positionOf(list, name.toLowerCase());
    if (at < 0) list.push(name, value);
    else list[at + 1] = value;
  }
  return list;
}

function positionOf(list: HeaderList, name: string): number {
  for (let at = 0; at < list.length; at += 2) {
    if (list[at]?.toLowerCase() === name) return at;
  }
  return -1;
}

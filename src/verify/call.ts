// What plain JavaScript can get wrong in a call, and no type stops there. Nothing here is about what a file contains.

/** Demands that an argument or option is what it has to be. @throws TypeError that names it */
export function demandGiven(fits: boolean, name: string, what: string): void {
  if (!fits) throw new TypeError(`${name} must be ${what}`);
}

/** A member of anything at all; undefined where there is none. */
export function memberOf(value: unknown, name: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown> | null | undefined)?.[name]; // every other value can be asked for a member
}

/** Demands a text with something in it. @throws TypeError */
export function demandFilled(value: unknown, name: string, what: string): void {
  demandGiven(typeof value === 'string' && value !== '', name, what);
}

/** Demands a text. @throws TypeError: a number has no `trim` */
export function demandText(value: unknown, name: string): void {
  demandGiven(typeof value === 'string', name, 'text');
}

/** Demands a text or its bytes. @throws TypeError */
export function demandTextOrBytes(value: unknown, name: string): void {
  demandGiven(typeof value === 'string' || ArrayBuffer.isView(value), name, 'text or bytes');
}

/** Demands keys to judge by, as `verifyTrustBundle` and `pinPublicKeys` give them. @throws TypeError */
export function demandTrust(options: unknown): void {
  const fits = Array.isArray(memberOf(memberOf(options, 'trust'), 'keys'));
  demandGiven(fits, 'trust', '`trust` of a trust bundle, or of pinPublicKeys');
}

/** Demands one of the two environments. @throws TypeError: any other would refuse every file, and blame the file */
export function demandEnvironment(name: unknown): void {
  demandGiven(name === 'live' || name === 'test', 'environment', "'live' or 'test'");
}

/** Demands a state as a call returned it. @throws TypeError: half of one would read as a clock set back */
export function demandState(state: unknown): void {
  const isSeen = (seen: unknown): boolean => seen === null || Number.isFinite(memberOf(seen, 'number'));
  const fits =
    Number.isFinite(memberOf(state, 'newestTimeMs')) &&
    isSeen(memberOf(state, 'bundle')) &&
    isSeen(memberOf(state, 'list'));
  demandGiven(fits, 'state', '`state` of the last answer');
}

/** The years 2001 and 5138 in seconds; in milliseconds both lie before 1974. */
const FIRST_SECONDS = 1e9;
const LAST_SECONDS = 1e11;

/**
 * Demands milliseconds since the epoch. Seconds are told from a clock that stands at 1970, which may happen to anybody,
 * by the clock of this machine.
 * @throws TypeError
 */
export function demandTime(now: unknown, clockMs: number): void {
  const inSeconds = Number(now) >= FIRST_SECONDS && Number(now) < LAST_SECONDS && clockMs >= LAST_SECONDS;
  demandGiven(Number.isFinite(now) && !inSeconds, 'now', 'in milliseconds since the epoch');
}

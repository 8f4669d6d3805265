/** What a check came to. `unchecked`: it could not be made, for the reason in `detail`. */
export type Result = 'ok' | 'warning' | 'failed' | 'unchecked';

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly result: Result;
  /** What was found, in plain words. */
  readonly detail: string;
  /** What to do about it; null when there is nothing to do. */
  readonly remedy: string | null;
}

/** A finding before its check is named. */
export type Outcome = Omit<Finding, 'check'>;

/** All is well. */
export const ok = (detail: string): Outcome => ({ result: 'ok', detail, remedy: null });

/** It works, and somebody should do something all the same. */
export const warning = (detail: string, remedy: string): Outcome => ({ result: 'warning', detail, remedy });

/** It is not as it has to be. */
export const failed = (detail: string, remedy: string): Outcome => ({ result: 'failed', detail, remedy });

/** It could not be looked at. */
export const unchecked = (detail: string, remedy: string): Outcome => ({
  result: 'unchecked',
  detail,
  remedy,
});

/** The first of many, and how many more. */
export function first(texts: readonly string[], all: number = texts.length, shown = 5): string {
  const more = all - Math.min(shown, texts.length);
  return `${texts.slice(0, shown).join('; ')}${more > 0 ? `; and ${String(more)} more` : ''}`;
}

import type { Output } from '../terminal.ts';

/** Whether the person has asked to stop; `end` gives the signals back. */
export interface StopSignal {
  readonly asked: () => boolean;
  readonly end: () => void;
}

/**
 * The first Ctrl-C lets end what is under way; the second one ends the process.
 * @param unit what is under way: `batch`
 */
export function stopSignal(out: Output, unit: string): StopSignal {
  let asked = false;
  const ask = (): void => {
    asked = true;
    out.note(`stopping behind this ${unit}; once more to stop at once`);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, ask);
  return {
    asked: () => asked,
    end: () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, ask);
    },
  };
}

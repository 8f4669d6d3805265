import type { Secret } from '../lib/secret.ts';
import { writeSecretFile } from './secret-file.ts';
import { askPlain, type Output } from './terminal.ts';

/** A secret that is made once, and where it goes. */
export interface ShownOnce {
  /** `recovery code` */
  readonly what: string;
  /** A new file; absent: onto the terminal. */
  readonly file: string | undefined;
  readonly out: Output;
}

/** Shows a secret once, or writes it to a new file (0600). */
export function handOver(secret: Secret, to: ShownOnce): void {
  if (to.file === undefined) {
    process.stdout.write(`\n${to.what}, shown this once:\n\n  ${secret.expose()}\n\n`);
    return;
  }
  writeSecretFile(to.file, secret.expose());
  to.out.note(`${to.what}: written to ${to.file}`);
}

/**
 * Has a secret typed back, so that nobody has it only on a screen; case, spaces and dashes do not count.
 * @returns false at the end of the input (Ctrl-D, Ctrl-C)
 */
export async function typedBack(secret: Secret, what: string): Promise<boolean> {
  const plain = (text: string): string => text.toUpperCase().replaceAll(/[\s-]/g, '');
  for (;;) {
    const typed = await askPlain(`Write the ${what} down, then type it back`, '');
    if (typed === null) return false;
    if (plain(typed) === plain(secret.expose())) return true;
    process.stderr.write(`That is not the ${what} shown above; type it again.\n`);
  }
}

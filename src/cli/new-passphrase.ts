import type { Secret } from '../lib/secret.ts';
import { CliError, EXIT } from './exit-code.ts';
import { type Output, readSecret } from './terminal.ts';

/**
 * A passphrase that somebody chose: from a file, or typed twice.
 * @throws CliError when nobody can be asked, or the two are not the same
 */
export async function newPassphrase(file: string | undefined, out: Output): Promise<Secret> {
  const first = await readSecret({ file, prompt: 'new passphrase' }, out);
  if (first === null)
    throw new CliError(EXIT.usage, 'no passphrase is given', 'Give --passphrase-file <file>.');
  if (file !== undefined) return first;
  const second = await readSecret({ file, prompt: 'the same again' }, out);
  if (second?.expose() === first.expose()) return first;
  throw new CliError(EXIT.usage, 'the two passphrases are not the same', 'Run the command again.');
}

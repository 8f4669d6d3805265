import type { Command } from 'commander';
import type { Unsealing } from '../custody/index.ts';
import type { SlotSecretText } from '../daemon/slot-wire.ts';
import { type Output, readSecret } from './terminal.ts';

/** How a command is told the secret of a slot: never in an argument. */
export interface SlotFlags {
  readonly recoveryFile?: string;
  readonly passphraseFile?: string;
  readonly credentialFile?: string;
}

/** Adds the options by which a secret is given. @param opens what it opens: `it`, `the slot` */
export function withSlotFlags(command: Command, opens: string): Command {
  return command
    .option(
      '--recovery-file <file>',
      `open ${opens} with the recovery code in this file; - reads standard input`,
    )
    .option('--passphrase-file <file>', `open ${opens} with the passphrase in this file`)
    .option('--credential-file <file>', `open ${opens} with this credential`);
}

/** The secret that the flags name; null when they name none. */
export async function unsealingIn(flags: SlotFlags, out: Output): Promise<Unsealing | null> {
  const { credentialFile, passphraseFile, recoveryFile } = flags;
  if (credentialFile !== undefined) return { with: 'credential', path: credentialFile };
  if (passphraseFile !== undefined) return askFor('passphrase', out, passphraseFile);
  return recoveryFile === undefined ? null : askFor('recovery', out, recoveryFile);
}

/** Reads a secret that can be typed, from a file or by asking; null when nobody can be asked. */
export async function askFor(
  kind: 'passphrase' | 'recovery',
  out: Output,
  file?: string,
): Promise<Unsealing | null> {
  const prompt = kind === 'passphrase' ? 'passphrase' : 'recovery code';
  const secret = await readSecret({ file, prompt }, out);
  if (secret === null) return null;
  return kind === 'passphrase' ? { with: kind, passphrase: secret } : { with: kind, code: secret };
}

/** The secret as a request carries it. @throws Fault KEY_STORAGE when a credential cannot be read */
export async function secretText(unsealing: Unsealing): Promise<SlotSecretText> {
  switch (unsealing.with) {
    case 'passphrase':
      return { kind: 'passphrase', passphrase: unsealing.passphrase.expose() };
    case 'recovery':
      return { kind: 'recovery', code: unsealing.code.expose() };
    case 'credential': {
      const { credentialPlace, readCredential } = await import('../custody/index.ts');
      const key = readCredential(credentialPlace(unsealing), null);
      return { kind: 'credential', key: key.expose().toString('base64') };
    }
  }
}

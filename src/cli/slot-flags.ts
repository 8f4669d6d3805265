import type { Command } from 'commander';
import type { Unsealing } from '../custody/index.ts';
import type { SlotSecretText } from '../daemon/slot-wire.ts';
import { Fault } from '../faults.ts';
import { Secret } from '../lib/secret.ts';
import { collect } from './settings.ts';
import { type Output, readSecret } from './terminal.ts';

/** How a command is told the secret of a slot: never in an argument. */
export interface SlotFlags {
  readonly recoveryFile?: string;
  readonly passphraseFile?: string;
  readonly credentialFile?: string;
  readonly shareFile?: readonly string[];
}

/** Adds the options by which a secret is given. @param opens what it opens: `it`, `the slot` */
export function withSlotFlags(command: Command, opens: string): Command {
  return command
    .option(
      '--recovery-file <file>',
      `open ${opens} with the recovery code in this file; - reads standard input`,
    )
    .option('--passphrase-file <file>', `open ${opens} with the passphrase in this file`)
    .option('--credential-file <file>', `open ${opens} with this credential`)
    .option('--share-file <file>', `open ${opens} with the share in this file; repeatable`, collect);
}

/** The secret that the flags name; null when they name none. */
export async function unsealingIn(flags: SlotFlags, out: Output): Promise<Unsealing | null> {
  const { credentialFile, passphraseFile, recoveryFile, shareFile } = flags;
  if (shareFile !== undefined) return { with: 'shares', shares: await sharesIn(shareFile, out) };
  if (credentialFile !== undefined) return { with: 'credential', path: credentialFile };
  if (passphraseFile !== undefined) return askFor('passphrase', out, passphraseFile);
  return recoveryFile === undefined ? null : askFor('recovery', out, recoveryFile);
}

async function sharesIn(files: readonly string[], out: Output): Promise<Secret[]> {
  const read = await Promise.all(files.map((file) => readSecret({ file, prompt: 'share' }, out)));
  return read.filter((share) => share !== null);
}

/** Reads a secret that can be typed, from a file or by asking; null when nobody can be asked. */
export async function askFor(
  kind: 'passphrase' | 'recovery' | 'shares',
  out: Output,
  file?: string,
): Promise<Unsealing | null> {
  if (kind === 'shares') return askForShares(out, file);
  const prompt = kind === 'passphrase' ? 'passphrase' : 'recovery code';
  const secret = await readSecret({ file, prompt }, out);
  if (secret === null) return null;
  return kind === 'passphrase' ? { with: kind, passphrase: secret } : { with: kind, code: secret };
}

/** As many as the first of them says; one that was mistyped is asked for again. Shares in a file stand one in a line. */
async function askForShares(out: Output, file?: string): Promise<Unsealing | null> {
  const { parseShare } = await import('../custody/index.ts');
  if (file !== undefined) {
    const text = (await readSecret({ file, prompt: 'shares' }, out))?.expose() ?? '';
    return { with: 'shares', shares: text.split(/\n+/).map((line) => new Secret(line)) };
  }
  const shares = new Map<number, Secret>();
  for (let threshold = 1; shares.size < threshold;) {
    const share = await readSecret({ file, prompt: `share ${String(shares.size + 1)}` }, out);
    if (share === null) return null;
    try {
      const { index, threshold: needed } = parseShare(share);
      shares.set(index, share);
      threshold = needed;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      out.warn(`${error.message}; type it again`);
    }
  }
  return { with: 'shares', shares: [...shares.values()] };
}

/** The secret as a request carries it. @throws Fault KEY_STORAGE when a credential cannot be read */
export async function secretText(unsealing: Unsealing): Promise<SlotSecretText> {
  switch (unsealing.with) {
    case 'passphrase':
      return { kind: 'passphrase', passphrase: unsealing.passphrase.expose() };
    case 'recovery':
      return { kind: 'recovery', code: unsealing.code.expose() };
    case 'shares':
      return { kind: 'shares', shares: unsealing.shares.map((share) => share.expose()) };
    case 'credential': {
      const { credentialPlace, readCredential } = await import('../custody/index.ts');
      const key = readCredential(credentialPlace(unsealing), null);
      return { kind: 'credential', key: key.expose().toString('base64') };
    }
  }
}

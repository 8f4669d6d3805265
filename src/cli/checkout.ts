import type { Command } from 'commander';
import { COMPONENTS_HELP, readComponents } from './components.ts';
import { CliError, EXIT } from './exit-code.ts';
import type { WithClient } from './resource.ts';
import { demandPlaceFor, writeNewFile } from './secret-file.ts';
import { type Output, readSecret } from './terminal.ts';

interface CheckoutOptions {
  readonly out?: string;
  readonly ttlSeconds?: string;
  readonly fingerprint?: string;
  readonly fingerprintFile?: string;
  readonly components?: string;
  readonly userEmail?: string;
  readonly plain?: boolean;
  readonly format?: string;
}

/** What was issued, as far as it is told here. */
interface Issued {
  readonly kid: string;
  readonly expiresAt: string;
  readonly fileId: string;
}

interface IssuedFile extends Issued {
  readonly certificate: string;
}

interface IssuedKey extends Issued {
  readonly signedKey: string;
}

/** Where a checkout command stands and which route it calls. */
export interface CheckoutPlace {
  readonly noun: 'license' | 'machine';
  readonly path: string;
  readonly withClient: WithClient;
}

const EXAMPLES = {
  license: 'mintmark license checkout lic_01… --fingerprint mm1-… --out machine.lic',
  machine: 'mintmark machine checkout mach_01… --out machine.lic',
} as const;

/** Adds `license checkout` or `machine checkout`: the signed file for a machine without a network. */
export function addCheckout(group: Command, { noun, path, withClient }: CheckoutPlace): void {
  const command = group
    .command('checkout')
    .description('issue a signed file for offline use')
    .argument('<id>', `id of the ${noun === 'license' ? 'licence' : noun}`)
    .option('--out <file>', 'write it to this new file (0600) instead of standard output')
    .option('--ttl-seconds <n>', 'how long it is valid (default: 14 days, less where the policy allows less)')
    .option('--plain', 'do not encrypt it (needs the scope licenses:checkout-plain)')
    .option('--format <file|jwt>', 'jwt: a compact token for a JOSE library, never encrypted');
  if (noun === 'license') {
    command
      .option('--fingerprint <text>', 'bind it to this machine (a machine file; activates it when needed)')
      .option('--fingerprint-file <file>', 'the same, read from a file or - for standard input')
      .option('--components <file>', COMPONENTS_HELP)
      .option('--user-email <address>', 'who uses it; needed where seats are counted per user');
  }
  command.addHelpText('after', `\nExample:\n  ${EXAMPLES[noun]}`);
  command.action(async (id: string, options: CheckoutOptions) => {
    await withClient(command, async ({ client, out }) => {
      const body = await bodyOf(options, out);
      // Before anything is issued: a file that could not be kept would count as one that is out in the field.
      if (options.out !== undefined) demandPlaceFor(options.out);
      const target = path.replace('{id}', encodeURIComponent(id));
      const data = (await client.data({ method: 'POST', path: target, body })) as IssuedFile; // the route's answer
      hand(out, data, { text: data.certificate, file: options.out });
    });
  });
}

/** Adds `license signed-key`: a licence in one line, for a QR code, an e-mail or a phone call. */
export function addSignedKey(group: Command, withClient: WithClient): void {
  const command = group
    .command('signed-key')
    .description('issue a signed licence key: one line, bound to no machine')
    .argument('<id>', 'id of the licence')
    .option('--out <file>', 'write it to this new file (0600) instead of standard output')
    .option('--ttl-seconds <n>', 'how long it is valid (default: 14 days, less where the policy allows less)')
    .addHelpText('after', '\nExample:\n  mintmark license signed-key lic_01… --ttl-seconds 2592000');
  command.action(async (id: string, options: CheckoutOptions) => {
    await withClient(command, async ({ client, out }) => {
      const body = await bodyOf(options, out);
      // Before anything is issued: a file that could not be kept would count as one that is out in the field.
      if (options.out !== undefined) demandPlaceFor(options.out);
      const path = `/licenses/${encodeURIComponent(id)}/signed-key`;
      const data = (await client.data({ method: 'POST', path, body })) as IssuedKey; // the route's answer
      hand(out, data, { text: `${data.signedKey}\n`, file: options.out });
    });
  });
}

/** Into the file that was named, else to standard output. */
function hand(
  out: Output,
  data: Issued,
  { text, file }: { readonly text: string; readonly file: string | undefined },
): void {
  if (file !== undefined) writeNewFile(file, text);
  const { fileId, kid, expiresAt } = data;
  const told = `${fileId} signed by ${kid}, valid until ${expiresAt}`;
  out.result({ data }, () => (file === undefined ? text.trimEnd() : `${file}: ${told}`));
}

async function bodyOf(
  options: CheckoutOptions,
  out: Parameters<typeof readSecret>[1],
): Promise<Record<string, unknown>> {
  const body: Record<string, unknown> = {};
  if (options.ttlSeconds !== undefined) {
    if (!/^\d+$/.test(options.ttlSeconds))
      throw new CliError(EXIT.usage, '--ttl-seconds takes a whole number');
    body['ttlSeconds'] = Number(options.ttlSeconds);
  }
  if (options.plain === true) body['encrypt'] = false;
  if (options.format !== undefined) body['format'] = options.format;
  if (options.userEmail !== undefined) body['userEmail'] = options.userEmail;
  if (options.components !== undefined) Object.assign(body, readComponents(options.components));
  if (options.fingerprint !== undefined) body['fingerprint'] = options.fingerprint;
  if (options.fingerprintFile !== undefined) {
    const read = await readSecret({ file: options.fingerprintFile, prompt: 'fingerprint' }, out);
    if (read !== null) body['fingerprint'] = read.expose();
  }
  return body;
}

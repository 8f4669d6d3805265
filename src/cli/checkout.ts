import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { CliError, EXIT } from './exit-code.ts';
import type { WithClient } from './resource.ts';
import { readSecret } from './terminal.ts';

interface CheckoutOptions {
  readonly out?: string;
  readonly ttlSeconds?: string;
  readonly fingerprint?: string;
  readonly fingerprintFile?: string;
  readonly plain?: boolean;
}

interface Certificate {
  readonly certificate: string;
  readonly kid: string;
  readonly expiresAt: string;
  readonly fileId: string;
}

/** Where a checkout command stands and which route it calls. */
export interface CheckoutPlace {
  readonly noun: 'license' | 'machine';
  readonly path: string;
  readonly withClient: WithClient;
}

/** Adds `license checkout` or `machine checkout`: the signed file for a machine without a network. */
export function addCheckout(group: Command, { noun, path, withClient }: CheckoutPlace): void {
  const command = group
    .command('checkout')
    .description('issue a signed file for offline use')
    .argument('<id>')
    .option('--out <file>', 'write the file here instead of standard output')
    .option('--ttl-seconds <n>', 'how long it is valid (default and bound: the policy)')
    .option('--plain', 'do not encrypt it (needs the scope licenses:checkout-plain)');
  if (noun === 'license') {
    command
      .option('--fingerprint <text>', 'bind it to this machine (a machine file; activates it when needed)')
      .option('--fingerprint-file <file>', 'the same, read from a file or - for standard input');
  }
  command.addHelpText(
    'after',
    `\nExample:\n  mintmark ${noun} checkout ${noun === 'license' ? 'lic' : 'mach'}_01… --out ${noun}.lic`,
  );
  command.action(async (id: string, options: CheckoutOptions) => {
    await withClient(command, async ({ client, out }) => {
      const body = await bodyOf(options, out);
      if (options.out !== undefined) demandWritable(options.out);
      const target = path.replace('{id}', encodeURIComponent(id));
      const data = (await client.data({ method: 'POST', path: target, body })) as Certificate; // the route's answer
      if (options.out !== undefined) writeFileSync(options.out, data.certificate, { mode: 0o600 });
      const text = `${data.fileId} signed by ${data.kid}, valid until ${data.expiresAt}`;
      out.result({ data }, () =>
        options.out === undefined ? data.certificate.trimEnd() : `${options.out}: ${text}`,
      );
    });
  });
}

/** Before anything is issued: a file that could not be kept would count as one that is out in the field. */
function demandWritable(file: string): void {
  try {
    if (existsSync(file)) accessSync(file, constants.W_OK);
    else accessSync(dirname(file), constants.W_OK | constants.X_OK);
  } catch {
    throw new CliError(EXIT.usage, `${file} cannot be written`, 'Name a file that you may write with --out.');
  }
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
  if (options.fingerprint !== undefined) body['fingerprint'] = options.fingerprint;
  if (options.fingerprintFile !== undefined) {
    const read = await readSecret({ file: options.fingerprintFile, prompt: 'fingerprint' }, out);
    if (read !== null) body['fingerprint'] = read.expose();
  }
  return body;
}

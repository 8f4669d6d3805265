import type { Command } from 'commander';
import type { ApiClient } from './api-client.ts';
import { CliError, EXIT } from './exit-code.ts';
import { type Output, readSecret } from './terminal.ts';

/** Options that name a licence by its key. */
export interface LicenseKeyFlags {
  readonly licenseKeyFile?: string;
  readonly licenseKey?: string;
}

/** A licence as the API shows it, as far as commands look into it. */
export type LicenseAnswer = Readonly<Record<string, unknown>> & { readonly id: string };

const ID = /^lic_/;
const OTHER_ID = /^[a-z]+_[0-9A-HJKMNP-TV-Z]{26}$/;

/** Adds the ways to say which licence is meant: by id, or by the key a customer reads out. */
export function withLicense(command: Command): Command {
  return command
    .argument('[id]', 'id of the licence; left out, it is found by its key')
    .option('--license-key-file <file>', 'file with the licence key, or - for standard input')
    .option('--license-key <key>', 'the licence key itself (other users of this machine can read it)');
}

/**
 * Reads the licence that a command names. A key travels in a body, never in a path, which logs keep.
 * @throws CliError when none is named, or the appliance refuses
 */
export async function readLicense(
  { client, out }: { readonly client: ApiClient; readonly out: Output },
  id: string | undefined,
  flags: LicenseKeyFlags,
): Promise<LicenseAnswer> {
  if (id !== undefined && ID.test(id)) {
    return (await client.data({
      method: 'GET',
      path: `/licenses/${encodeURIComponent(id)}`,
    })) as LicenseAnswer; // the route's answer
  }
  if (id !== undefined && OTHER_ID.test(id)) {
    throw new CliError(
      EXIT.usage,
      `${id} is no id of a licence: those begin with lic_`,
      '`mintmark license list` shows them.',
    );
  }
  const { licenseKeyFile: file, licenseKey = id } = flags;
  const key = await readSecret({ file, argument: licenseKey, prompt: 'licence key' }, out);
  if (key === null) {
    throw new CliError(
      EXIT.usage,
      'no licence was named',
      'Give its id, or its key with --license-key-file <file>; - reads it from standard input.',
    );
  }
  const body = { key: key.expose() };
  return (await client.data({ method: 'POST', path: '/licenses/lookup', body })) as LicenseAnswer; // the route's answer
}

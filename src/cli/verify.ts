import type { Command } from 'commander';
import { collect, globalFlags } from './settings.ts';
import type { Output } from './terminal.ts';
import type { VerifyFlags } from './verify-file.ts';

/** Adds `verify`: judges a licence file, machine file or signed key without any network or running appliance. */
export function addVerify(program: Command, outputOf: (command: Command) => Output): void {
  const command = program
    .command('verify')
    .description('check a licence file, machine file or signed key, offline')
    .argument('<file>', 'the .lic file, or a file with a signed key')
    .option('--product <code>', 'code or id of the product it must be for (unchecked when left out)')
    .option('--trust <file>', 'trust bundle (mintmark trust export)')
    .option('--root <fingerprint>', 'pinned root fingerprint (unchecked when left out); repeatable', collect)
    .option('--public-key <hex>', 'public key instead of a trust bundle; repeatable', collect)
    .option('--license-key-file <file>', 'file with the licence key, or - for standard input')
    .option('--license-key <key>', 'the licence key itself (other users of this machine can read it)')
    .option('--fingerprint <text>', 'fingerprint of the machine a machine file must be for')
    .option('--fingerprint-file <file>', 'the same, from a file')
    .option('--revocations <file>', 'newest revocation list')
    .option('--refuse-dev', 'refuse files of a development appliance, as release builds should')
    .addHelpText(
      'after',
      `
Files of the test environment are refused unless --environment test is given. With --tenant a trust bundle or a file of
another tenant is refused.
Exit codes: 0 valid, 3 not valid, 2 wrong usage.

Example:
  mintmark verify machine.lic --product editor --trust trust-bundle.json --root 3f9a… \\
    --license-key-file license-key.txt --fingerprint-file fingerprint.txt`,
    );
  command.action(async (file: string, flags: VerifyFlags) => {
    const { runVerify } = await import('./verify-file.ts');
    const { environment = 'live', tenant } = globalFlags(command);
    await runVerify({ file, flags, environment, tenant, out: outputOf(command) });
  });
}

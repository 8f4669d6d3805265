import { statSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Config } from '../config/index.ts';
import type { Custody, Unsealing } from '../custody/index.ts';
import type { Finding, Result } from '../daemon/doctor/finding.ts';
import { Fault } from '../faults.ts';
import { systemClock } from '../lib/clock.ts';
import { systemRandom } from '../lib/random.ts';
import { ApiRefusal } from './api-client.ts';
import { CliError, EXIT } from './exit-code.ts';
import { commandLog, surroundings } from './process.ts';
import type { WithClient } from './resource.ts';
import { globalFlags, loadFor } from './settings.ts';
import { type SlotFlags, unsealingIn, withSlotFlags } from './slot-flags.ts';
import type { Output } from './terminal.ts';

interface DoctorFlags extends SlotFlags {
  readonly deep?: boolean;
}

/** Adds `doctor`, and `doctor accept`. */
export function addDoctor(
  program: Command,
  outputOf: (command: Command) => Output,
  withClient: WithClient,
): void {
  const doctor = withSlotFlags(
    program
      .command('doctor')
      .description(
        'look at everything of an appliance, running or stopped, and say what to do about what is wrong',
      )
      .option(
        '--deep',
        'compare every row that decides something with the ledger too (minutes, when there are millions)',
      ),
    'a stopped appliance',
  ).addHelpText(
    'after',
    `
Nothing is changed. Without a slot that opens the keys, what needs them is not checked; of a stopped appliance the
configured credential is used.

Exit codes: 0 nothing is wrong (warnings do not count), 3 something is, or could not be checked.

Examples:
  mintmark doctor
  mintmark doctor --deep --json
  mintmark doctor --recovery-file recovery.txt`,
  );
  doctor.action(async (flags: DoctorFlags) => {
    const out = outputOf(doctor);
    const findings =
      (await askRunning(doctor, withClient, flags)) ?? (await lookAtStopped(doctor, flags, out));
    out.result({ data: findings }, () => describe(findings));
    if (findings.some(({ result }) => BAD.has(result))) throw new CliError(EXIT.invalid, '');
  });
  addAccept(doctor, outputOf);
}

const BAD: ReadonlySet<Result> = new Set(['failed', 'unchecked']);

/** What a running appliance finds; undefined: none runs. */
async function askRunning(
  doctor: Command,
  withClient: WithClient,
  { deep = false }: DoctorFlags,
): Promise<readonly Finding[] | undefined> {
  let findings: readonly Finding[] | undefined;
  try {
    await withClient(doctor, async ({ client }) => {
      const data = await client.data({ method: 'POST', path: '/system/doctor', body: { deep } });
      findings = data as Finding[]; // the route's answer
    });
  } catch (error) {
    if (isSealed(error)) return undefined;
    const isStopped = error instanceof CliError && error.exitCode === EXIT.unreachable;
    const { url, socket } = globalFlags(doctor);
    // Whoever names an address means a running one.
    if (!isStopped || url !== undefined || socket !== undefined) throw error;
  }
  return findings;
}

/** What needs no key is looked at from here then: reading disturbs nobody. */
function isSealed(error: unknown): boolean {
  return error instanceof ApiRefusal && error.code === 'SEALED';
}

async function lookAtStopped(doctor: Command, flags: DoctorFlags, out: Output): Promise<readonly Finding[]> {
  const { config } = await loadFor(doctor);
  demandOwner(config.data.directory);
  const { readDataDirectory } = await import('../storage/data-directory.ts');
  const { examine } = await import('../daemon/doctor/doctor.ts');
  const directory = readDataDirectory(config.data.directory);
  try {
    const custody = await openedOrShut(config, await unsealingOf(flags, config, out));
    if ('state' in custody) custody.loadRealmKeys(directory.reader);
    const { paths, reader } = directory;
    const pause = (): Promise<void> => nextTurn();
    const findings = await examine(
      { config, paths, reader, clock: systemClock, custody, pause },
      { deep: flags.deep === true },
    );
    if ('state' in custody) await custody[Symbol.asyncDispose]();
    return findings;
  } finally {
    directory.close();
  }
}

/** What SQLite keeps beside a database belongs to whoever opens it: to the appliance it must go on belonging. */
function demandOwner(root: string): void {
  const owner = statSync(root, { throwIfNoEntry: false })?.uid;
  if (owner === undefined || owner === process.geteuid?.()) return;
  throw new CliError(
    EXIT.usage,
    `${root} belongs to user ${String(owner)}`,
    'Run the command as that user: sudo -u mintmark mintmark doctor',
  );
}

async function unsealingOf(flags: SlotFlags, config: Config, out: Output): Promise<Unsealing> {
  const given = await unsealingIn(flags, out);
  const credentialsDirectory = process.env['CREDENTIALS_DIRECTORY'];
  return given ?? { with: 'credential', path: config.custody.credential ?? undefined, credentialsDirectory };
}

/** Keys that do not open are something to be told, not the end. */
async function openedOrShut(
  config: Config,
  unsealing: Unsealing,
): Promise<Custody | { readonly shut: string }> {
  const { openCustody } = await import('../custody/index.ts');
  const { custodiansOf } = await import('../daemon/parts.ts');
  try {
    const given = {
      directory: config.data.directory,
      random: systemRandom,
      ...custodiansOf(config, systemClock),
    };
    return await openCustody(given, unsealing);
  } catch (error) {
    if (error instanceof Fault) return { shut: error.message };
    throw error;
  }
}

const MARKS: Readonly<Record<Result, string>> = {
  ok: 'ok        ',
  warning: 'warning   ',
  failed: 'FAILED    ',
  unchecked: 'unchecked ',
};

function describe(findings: readonly Finding[]): string {
  const lines = findings.map(({ check, result, detail, remedy }) => {
    return `${MARKS[result]} ${check}: ${detail}${remedy === null ? '' : `\n            ${remedy}`}`;
  });
  const bad = findings.filter(({ result }) => BAD.has(result)).length;
  return [
    ...lines,
    bad === 0 ? 'nothing is wrong' : `${String(bad)} of ${String(findings.length)} are not well`,
  ].join('\n');
}

function addAccept(doctor: Command, outputOf: (command: Command) => Output): void {
  const accept = withSlotFlags(
    doctor
      .command('accept')
      .description('take a row that was changed behind the ledger as it stands now; of a stopped appliance')
      .argument(
        '<kind>',
        'as `mintmark doctor` names it: api-key, tenant, signing-key, appliance, license, …',
      )
      .argument('<id>', 'of the row')
      .requiredOption('--reason <text>', 'why; kept in the ledger'),
    'the keys',
  ).addHelpText(
    'after',
    `
Only when you know who changed it. A key that was revoked and is not any more works again: revoke it at once.

Example:
  mintmark doctor accept api-key key_01J8… --reason "restored by hand after the disk error of 3 May"`,
  );
  accept.action(async (kind: string, id: string) => {
    const out = outputOf(accept);
    // `doctor` has the options of slots too, and takes them wherever they stand.
    const flags = accept.optsWithGlobals<SlotFlags & { reason: string }>();
    const { config } = await loadFor(accept);
    const unsealing = await unsealingOf(flags, config, out);
    const { whileStopped } = await import('../daemon/stopped.ts');
    const { acceptRow } = await import('../daemon/doctor/accept-row.ts');
    await whileStopped({ config, unsealing }, surroundings(commandLog), (parts, authority) =>
      acceptRow(parts.work, authority, { kind, id, reason: flags.reason }),
    );
    out.result({ kind, id }, () => `${kind} ${id} is taken as it stands`);
  });
}

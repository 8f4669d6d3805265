import type { Command } from 'commander';
import type { WithClient } from './resource.ts';
import { counted } from './page.ts';
import { details } from './terminal.ts';

/** Adds `status`, and `clock set-trusted`. */
export function addStatus(program: Command, withClient: WithClient): void {
  const status = program
    .command('status')
    .description('state of the running appliance, and why it is not ready');
  status.action(async () => {
    await withClient(status, async ({ client, out }) => {
      const data = (await client.data({ method: 'GET', path: '/system/status' })) as Record<string, unknown>; // the route's answer
      out.result({ data }, () => describe(data));
    });
  });
  const clock = program.command('clock').description('trusted time');
  const trust = clock
    .command('set-trusted')
    .description('take the wall clock as right and end the state clock-suspect')
    .requiredOption('--reason <text>', 'why it is right; kept in the ledger')
    .option('--lower', 'allow trusted time to go back by more than a day')
    .addHelpText('after', '\nLook at `date` first: everything that expires is judged by this clock.');
  trust.action(async (flags: { reason: string; lower?: boolean }) => {
    await withClient(trust, async ({ client, out }) => {
      const body = { reason: flags.reason, lowerByMoreThanADay: flags.lower === true };
      const data = await client.data({ method: 'POST', path: '/system/clock/set-trusted', body });
      out.result({ data }, () => details(data as Record<string, unknown>)); // the route's answer
    });
  });
}

/** One screen: the state first, then what a person asks next. */
function describe(data: Readonly<Record<string, unknown>>): string {
  if (data['state'] === 'sealed') return describeSealed(data);
  const lines = reasonsOf(data);
  const parts = ['disk', 'database', 'clock', 'ledger', 'backup'].map((name) => section(name, data[name]));
  const head = details({
    state: data['state'],
    version: data['version'],
    appliance: data['applianceId'],
    directory: data['directory'],
    'signing keys': data['signingKeys'],
    custodians: custodiansOf(data),
    slots: slotsOf(data),
    warnings: data['warnings'],
    ...heldOf(data['heldSweeps']),
    ...(data['dev'] === true ? { 'development appliance': 'yes: nothing of it may go to production' } : {}),
  });
  return [head, ...lines, ...parts].join('\n');
}

/** What can be said without a key. */
function describeSealed(data: Readonly<Record<string, unknown>>): string {
  const head = details({
    state: data['state'],
    version: data['version'],
    appliance: data['applianceId'],
    directory: data['directory'],
    slots: slotsOf(data),
    warnings: data['warnings'],
  });
  const works =
    '  what still works: health, metrics, `mintmark status`, `mintmark unseal`; everything else waits';
  return [head, ...reasonsOf(data), works].join('\n');
}

function reasonsOf(data: Readonly<Record<string, unknown>>): string[] {
  const reasons = data['reasons'] as { state: string; reason: string; since: string; leftBy: string }[]; // the route's answer
  return reasons.map(({ state, reason, since, leftBy }) => {
    return `  ${state} since ${since}: ${reason}\n    ends by: ${leftBy}`;
  });
}

/** Sweeps that wait for somebody are shown only when there are any. */
function heldOf(value: unknown): Readonly<Record<string, unknown>> {
  const held = value as { job: string; tenant: string; environment: string }[]; // the route's answer
  if (held.length === 0) return {};
  return { 'held sweeps': held.map(({ job, tenant, environment }) => `${job} (${tenant}/${environment})`) };
}

function custodiansOf(data: Readonly<Record<string, unknown>>): string[] {
  // the route's answer
  const custodians = data['custodians'] as { custodian: string; state: string; detail: string }[];
  return custodians.map(({ custodian, state, detail }) =>
    state === 'ready' ? `${custodian} (ready)` : `${custodian} (${state}: ${detail})`,
  );
}

function slotsOf(data: Readonly<Record<string, unknown>>): string[] {
  const slots = data['slots'] as { name: string; damaged: boolean; kind?: string; createdAt?: string }[]; // the route's answer
  return slots.map(({ name, damaged, kind, createdAt }) =>
    damaged ? `${name} (DAMAGED)` : `${name} (${kind ?? ''}, since ${(createdAt ?? '').slice(0, 10)})`,
  );
}

/** What programs count in bytes and seconds, as people read it: `freeBytes` is `free`, in GiB. */
function inUnits([name, value]: readonly [string, unknown]): [string, unknown] {
  if (typeof value !== 'number') return [name, value];
  if (name.endsWith('Bytes')) return [name.slice(0, -'Bytes'.length), sizeText(value)];
  if (name.endsWith('Seconds')) return [name.slice(0, -'Seconds'.length), `for ${counted(value, 'second')}`];
  return [name, value];
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
const STEP = 1024;

function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / Math.log2(STEP)));
  const size = bytes / STEP ** power;
  return `${power === 0 ? String(size) : size.toFixed(1)} ${UNITS[power] ?? ''}`;
}

function section(name: string, value: unknown): string {
  const shown = Object.entries((value ?? {}) as Record<string, unknown>).map(inUnits); // sections are objects
  const body = details(Object.fromEntries(shown));
  return `${name}\n${body.replaceAll(/^/gm, '  ')}`;
}

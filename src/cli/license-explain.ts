import type { Command } from 'commander';
import { COMPONENTS_HELP, type MachineFacts, readComponents } from './components.ts';
import { CliError, EXIT } from './exit-code.ts';
import { coloursFor, type Colours, labelled, PAGE_COLUMNS, wrapped } from './page.ts';
import type { WithClient } from './resource.ts';
import { collect } from './settings.ts';
import { nextSteps } from './support-steps.ts';
import { type LicenseKeyFlags, readLicense, withLicense } from './which-license.ts';

/** One rule as the API explains it. */
export interface ExplainedRule {
  readonly code: string;
  readonly outcome: 'passed' | 'remark' | 'blocking' | 'not_applicable';
  readonly detail: string;
  readonly remedy: string | null;
}

/** What `POST /licenses/{id}/explain` answers. */
export interface Explanation {
  readonly valid: boolean;
  readonly code: string;
  readonly rules: readonly ExplainedRule[];
  readonly license: {
    readonly id: string;
    readonly status: string;
    readonly statusSince: string;
    readonly expiresAt: string | null;
    readonly graceUntil: string | null;
    readonly productCode: string;
  };
  readonly limits: {
    readonly maxMachines: number | null;
    readonly seats: number;
    readonly maxUses: number | null;
    readonly uses: number;
  };
  readonly entitlements: readonly { readonly code: string; readonly expiresAt: string | null }[];
  readonly machine: { readonly id: string } | null;
  readonly enforcement: string;
  readonly checkedAt: string;
}

interface ExplainFlags extends LicenseKeyFlags {
  readonly fingerprint?: string;
  readonly components?: string;
  readonly entitlement?: string[];
}

/** What is known of one machine: sent as it is. */
interface Asked extends MachineFacts {
  readonly entitlements?: readonly string[];
}

/** Adds `license explain`: why a validation says what it says, without carrying one out. */
export function addLicenseExplain(group: Command, withClient: WithClient): void {
  const command = withLicense(
    group
      .command('explain')
      .description('say what a validation would answer now, and why; nothing is counted'),
  )
    .option('--fingerprint <text>', 'fingerprint of the machine that asks')
    .option('--components <file>', COMPONENTS_HELP)
    .option('--entitlement <code>', 'an entitlement it asks for; repeatable', collect)
    .addHelpText(
      'after',
      `
Every rule is shown in the order in which they decide. Exit codes: 0 valid, 3 not valid.

Examples:
  mintmark license explain lic_01… --fingerprint mm1-…
  mintmark fingerprint --json > machine.json                     # on the machine
  mintmark license explain --license-key-file key.txt --components machine.json`,
    );
  command.action(async (id: string | undefined, flags: ExplainFlags) => {
    const asked = askedOf(flags);
    await withClient(command, async ({ client, out }) => {
      const license = await readLicense({ client, out }, id, flags);
      const path = `/licenses/${encodeURIComponent(license.id)}/explain`;
      const data = (await client.data({ method: 'POST', path, body: asked })) as Explanation; // the route's answer
      out.result({ data }, () => explanationText(data, coloursFor(process.stdout)));
      if (!data.valid) throw new CliError(EXIT.invalid, '');
    });
  });
}

function askedOf({ fingerprint, components: file, entitlement }: ExplainFlags): Asked {
  const machine = file === undefined ? {} : readComponents(file);
  return {
    ...machine,
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(entitlement === undefined ? {} : { entitlements: entitlement }),
  };
}

const MARKS: Readonly<Record<ExplainedRule['outcome'], string>> = {
  passed: 'ok',
  remark: 'note',
  blocking: 'NO',
  not_applicable: '-',
};
const MARK_COLUMNS = 6;
const INDENT = 31;

function explanationText(explanation: Explanation, colours: Colours): string {
  const { valid, code, rules, license, checkedAt } = explanation;
  const verdict = verdictOf(explanation);
  const decisive = rules.find((rule) => rule.code === code);
  return [
    `${license.id} (${license.productCode})`,
    valid ? colours.good(verdict) : colours.bad(verdict),
    '',
    ...rules.flatMap((rule) => ruleLines(rule, colours)),
    '',
    ...(decisive === undefined ? [] : remedyLines(decisive, explanation)),
    `Judged at ${checkedAt} by the trusted clock of the appliance.`,
    'Nothing was counted.',
  ].join('\n');
}

/** `NOT VALID, decided by EXPIRED`. */
export function verdictOf({ valid, code }: Pick<Explanation, 'valid' | 'code'>): string {
  if (code === 'VALID') return 'VALID';
  return valid ? `VALID, with the remark ${code}` : `NOT VALID, decided by ${code}`;
}

function ruleLines({ code, outcome, detail }: ExplainedRule, colours: Colours): string[] {
  const label = `${MARKS[outcome].padEnd(MARK_COLUMNS)}${code}`;
  const lines = labelled(label, detail, INDENT);
  const paint = {
    passed: colours.good,
    remark: colours.doubtful,
    blocking: colours.bad,
    not_applicable: colours.quiet,
  };
  return lines.map((line, i) => (i === 0 ? `${paint[outcome](label)}${line.slice(label.length)}` : line));
}

function remedyLines({ code, remedy }: ExplainedRule, explanation: Explanation): string[] {
  if (remedy === null) return [];
  const commands = nextSteps(code, explanation.license.id, explanation.machine?.id ?? null);
  const lines = wrapped(`What to do: ${remedy}.`, PAGE_COLUMNS);
  return [...lines, ...commands.map((command) => `  ${command}`), ''];
}

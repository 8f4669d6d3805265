import type { ActionRow, Dossier, FileRow, MachineRow, Row, Shown } from './license-dossier.ts';
import type { ExplainedRule } from './license-explain.ts';
import { type Colours, clipped, labelled, minuteOf, PAGE_COLUMNS, relative } from './page.ts';
import { heldSeats, seatSteps } from './license-seats.ts';
import { nextSteps } from './support-steps.ts';
import { show } from './terminal.ts';

/** Rules about the machine that asks: without one they say nothing of the licence. */
const OF_A_MACHINE: ReadonlySet<string> = new Set([
  'FINGERPRINT_REQUIRED',
  'FINGERPRINT_NOT_FOUND',
  'HEARTBEAT_REQUIRED',
]);
const LABEL = 11;
/** Rows of each list: the whole screen stays near 40 lines. */
const MACHINES = 6;
const HELD = 2;
const FILES = 4;
const ACTIONS = 8;

/** One screen about one licence: state and reason first, then what is out there, who did what, and what to type next. */
export function licenseScreen(dossier: Dossier, colours: Colours): string {
  return [
    ...headLines(dossier, colours),
    ...factLines(dossier, colours),
    ...machineLines(dossier, colours),
    ...fileLines(dossier, colours),
    ...actionLines(dossier, colours),
    ...nextLines(dossier, colours),
  ].join('\n');
}

function findingsOf({ explanation }: Dossier): ExplainedRule[] {
  return explanation.rules.filter(({ code, outcome }) => {
    return (outcome === 'blocking' || outcome === 'remark') && !OF_A_MACHINE.has(code);
  });
}

function headLines(dossier: Dossier, colours: Colours): string[] {
  const { license, policy, product, explanation } = dossier;
  const name = license['name'] === null ? '' : `  ${show(license['name'])}`;
  const productName = product === null ? explanation.license.productCode : show(product['name']);
  const policyName = policy === null ? show(license['policyId']) : show(policy['name']);
  const findings = findingsOf(dossier);
  return [
    colours.heading(clipped(`${license.id}${name}`, PAGE_COLUMNS)),
    clipped(`${productName} (${explanation.license.productCode}), policy ${policyName}`, PAGE_COLUMNS),
    '',
    ...labelled('key', show(license['key']), LABEL),
    ...verdictLines(findings, colours),
    ...findings.flatMap(({ detail }) => labelled('', detail, LABEL)),
  ];
}

/** A colour does not take room: the text is laid out first. */
function verdictLines(findings: readonly ExplainedRule[], colours: Colours): string[] {
  const blocking = findings.find(({ outcome }) => outcome === 'blocking');
  const [first] = findings;
  const label = 'validation'.padEnd(LABEL);
  if (blocking !== undefined) return [`${label}${colours.bad(`NOT VALID: ${blocking.code}`)}`];
  if (first !== undefined) return [`${label}${colours.doubtful(`valid, with the remark ${first.code}`)}`];
  return [`${label}${colours.good('valid, for what its policy asks of the machine')}`];
}

function factLines({ license, explanation, policy }: Dossier, colours: Colours): string[] {
  const { checkedAt: now, license: state, limits } = explanation;
  const since = `since ${minuteOf(state.statusSince)} (${relative(state.statusSince, now)})`;
  const paint = state.status === 'active' ? colours.good : colours.bad;
  return [
    `${'state'.padEnd(LABEL)}${paint(state.status)} ${since}`,
    ...labelled('expires', expiryText(explanation), LABEL),
    ...labelled('seats', seatText(license, { explanation, policy }), LABEL),
    ...labelled('uses', `${String(limits.uses)} of ${limitText(limits.maxUses)}`, LABEL),
    ...labelled('holds', entitlementText(explanation), LABEL),
    ...labelled('person', personText(license), LABEL),
    ...labelled('validated', timeText(license['lastValidatedAt'], now), LABEL),
    ...(policy === null ? [] : labelled('policy', policyText(policy), LABEL)),
  ];
}

function seatText(license: Row, { explanation, policy }: Pick<Dossier, 'explanation' | 'policy'>): string {
  const { seats, maxMachines } = explanation.limits;
  if (policy?.['machineLeasing'] !== 'PER_USER') return `${String(seats)} of ${limitText(maxMachines)} taken`;
  return `${show(license['machineCount'])} taken, ${limitText(maxMachines)} for each user`;
}

const limitText = (limit: number | null): string => (limit === null ? 'unlimited' : String(limit));

function expiryText({ license, rules, checkedAt: now }: Dossier['explanation']): string {
  const { expiresAt, graceUntil } = license;
  if (expiresAt === null) return rules.find(({ code }) => code === 'EXPIRED')?.detail ?? '-';
  const head = `${minuteOf(expiresAt)} (${relative(expiresAt, now)})`;
  if (graceUntil === null) return `${head}; goes on all the same`;
  return graceUntil === expiresAt
    ? head
    : `${head}; grace until ${minuteOf(graceUntil)} (${relative(graceUntil, now)})`;
}

function entitlementText({ entitlements, checkedAt: now }: Dossier['explanation']): string {
  if (entitlements.length === 0) return 'no entitlements';
  const texts = entitlements.map(({ code, expiresAt }) => {
    if (expiresAt === null) return code;
    return expiresAt <= now
      ? `${code} (ended ${minuteOf(expiresAt)})`
      : `${code} until ${minuteOf(expiresAt)}`;
  });
  return [...new Set(texts)].join(', ');
}

function personText(license: Row): string {
  const parts = [license['userName'], license['userEmail']].filter(
    (part) => part !== null && part !== undefined,
  );
  return parts.length === 0 ? '-' : parts.map(show).join(', ');
}

function timeText(value: unknown, now: string): string {
  return typeof value === 'string' ? `${minuteOf(value)} (${relative(value, now)})` : 'never';
}

/** The settings that decide most questions; all of them are in `policy show`. */
function policyText(policy: Row): string {
  const on = (name: string): boolean => policy[name] === true;
  return [
    on('requireFingerprint') ? `fingerprint ${show(policy['fingerprintMatching'])}` : 'no fingerprint',
    on('requireHeartbeat')
      ? `heartbeat every ${show(policy['heartbeatIntervalMinutes'])} min`
      : 'no heartbeat',
    on('offlineAllowed') ? `files for ${show(policy['offlineMaxDays'])} days` : 'no files',
    policy['durationDays'] === null
      ? 'perpetual'
      : `${show(policy['durationDays'])} days ${show(policy['expirationBasis'])}`,
    show(policy['expirationStrategy']),
    show(policy['overageStrategy']),
    `seats ${show(policy['machineLeasing'])}`,
    ...(on('floating') ? ['floating'] : []),
    ...(on('isTrial') ? ['trial'] : []),
    `client ${show(policy['enforcement'])}`,
  ].join(', ');
}

interface Section<T> {
  readonly list: Shown<T>;
  readonly lines: (rows: readonly T[]) => string[];
}

function section<T>(title: string, { list, lines }: Section<T>): string[] {
  if ('refused' in list) return ['', title, ...labelled('', `not shown: ${list.refused}`, 2)];
  const shown = lines(list.rows);
  return ['', title, ...(shown.length === 0 ? ['  none'] : shown)];
}

function machineLines(dossier: Dossier, colours: Colours): string[] {
  const { license, machines, files, explanation } = dossier;
  const now = explanation.checkedAt;
  const outstanding = 'refused' in files ? [] : files.rows.filter(({ expiresAt }) => expiresAt > now);
  const lines = (rows: readonly MachineRow[]): string[] => [
    ...rows.slice(0, MACHINES).map((machine) => machineLine(machine, { outstanding, now, colours })),
    ...remainder(rows.length - MACHINES, `mintmark machine list --license-id ${license.id}`),
    ...heldSeats(dossier)
      .slice(0, HELD)
      .map(
        ({ machineId, until }) => `  ${machineId} gone; a file holds its seat until ${until.slice(0, 10)}`,
      ),
  ];
  return section(colours.heading('machines'), { list: machines, lines });
}

function remainder(count: number, command: string): string[] {
  return count > 0 ? [`  and ${String(count)} more: ${command}`] : [];
}

function machineLine(
  machine: MachineRow,
  around: { readonly outstanding: readonly FileRow[]; readonly now: string; readonly colours: Colours },
): string {
  const { outstanding, now, colours } = around;
  const newest = outstanding
    .filter(({ machineId }) => machineId === machine.id)
    .map(({ expiresAt }) => expiresAt)
    .toSorted()
    .at(-1);
  const seen = [machine.createdAt, machine.lastHeartbeatAt, machine.lastValidatedAt]
    .filter((time) => time !== null)
    .toSorted()
    .at(-1);
  const file = newest === undefined ? '' : ` file until ${newest.slice(0, 10)}`;
  const paint = machine.status === 'alive' ? colours.good : colours.bad;
  const rest = ` ${seen === undefined ? '' : `seen ${relative(seen, now)}`}${file}${nameOf(machine)}`;
  const room = PAGE_COLUMNS - 2 - machine.id.length - 1 - machine.status.length;
  return `  ${machine.id} ${paint(machine.status)}${clipped(rest, room)}`;
}

function nameOf({ name, platform }: MachineRow): string {
  const parts = [name, platform].filter((part) => typeof part === 'string');
  return parts.length === 0 ? '' : `, ${parts.map(show).join(', ')}`;
}

function fileLines({ license, files, explanation }: Dossier, colours: Colours): string[] {
  const now = explanation.checkedAt;
  const lines = (rows: readonly FileRow[]): string[] => {
    const out = rows.filter(({ expiresAt }) => expiresAt > now);
    const shown = out.slice(0, FILES).map(({ id, machineId, expiresAt }) => {
      const whose = machineId === null ? 'bound to no machine' : `…${machineId.slice(-8)}`;
      return clipped(`  ${id} until ${minuteOf(expiresAt)}, ${whose}`, PAGE_COLUMNS);
    });
    return [...shown, ...remainder(out.length - FILES, `mintmark license files ${license.id}`)];
  };
  return section(colours.heading('files outstanding'), { list: files, lines });
}

function actionLines({ actions, keyNames, license }: Dossier, colours: Colours): string[] {
  const lines = (rows: readonly ActionRow[]): string[] =>
    rows.slice(0, ACTIONS).map((row) => {
      const about = row.target.id === license.id ? '' : ` …${row.target.id.slice(-8)}`;
      const refused = row.outcome === 'refused' ? ' REFUSED' : '';
      const what = `${row.action}${about}${refused}`;
      return clipped(`  ${minuteOf(row.at)}  ${what.padEnd(36)} ${actorText(row, keyNames)}`, PAGE_COLUMNS);
    });
  return section(colours.heading('last actions (UTC)'), { list: actions, lines });
}

function actorText({ actor }: ActionRow, names: Dossier['keyNames']): string {
  if (actor.kind === 'operator') return `operator ${actor.id} (${actor.via})`;
  if (actor.kind === 'system') return `job ${actor.id}`;
  const name = names[actor.id];
  return name === undefined ? `${actor.kind} …${actor.id.slice(-8)}` : `API key ${show(name)}`;
}

function nextLines(dossier: Dossier, colours: Colours): string[] {
  const { license } = dossier;
  const found = findingsOf(dossier).flatMap(({ code }) => nextSteps(code, license.id, null));
  const commands = [
    ...found,
    ...seatSteps(dossier),
    `mintmark license explain ${license.id} --fingerprint <text>`,
  ];
  return ['', colours.heading('next'), ...commands.map((command) => `  ${command}`)];
}

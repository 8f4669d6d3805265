import type { LedgerProblem } from './verify.ts';
import type { ExportReport } from './verify-export.ts';

/** A report in words, one line a fact, for `mintmark audit verify`. Ends with the verdict. */
export function describeReport(report: ExportReport): string {
  return [
    `ledger       ${report.origin}`,
    `entries      ${counted(report.size)}${shown(report)}`,
    ...(report.period === null ? [] : [`period       ${report.period.first} to ${report.period.last}`]),
    `root         ${report.root}`,
    `checkpoints  ${counted(report.checkpoints)} good, the last over ${counted(report.signedSize)} entries${unsigned(report)}`,
    ...report.keys.map(({ key, from }, i) => keyLine({ key, from, first: i === 0, pinned: report.pinned })),
    ...report.problems.map(problemLine),
    verdict(report),
    '',
  ].join('\n');
}

function shown({ entries, bareHashes }: ExportReport): string {
  return bareHashes === 0
    ? ''
    : `, ${counted(entries)} of them in full, ${counted(bareHashes)} as bare hashes`;
}

function unsigned({ size, signedSize }: ExportReport): string {
  const rest = Math.max(0, size - signedSize);
  return rest === 0 ? '' : `; the ${counted(rest)} after it are not signed yet and prove nothing`;
}

function keyLine(of: { key: string; from: number; first: boolean; pinned: boolean }): string {
  if (!of.first)
    return `key          ${of.key} (from ${counted(of.from)} entries on, proven by the key before it)`;
  const trust = of.pinned
    ? 'as given'
    : 'NOT COMPARED: taken from the export itself; compare it with the ledger key that `mintmark init` showed';
  return `key          ${of.key} (${trust})`;
}

function problemLine({ code, index, to, message }: LedgerProblem): string {
  const last = to === undefined ? undefined : to - 1;
  const place = index === undefined ? '' : ` at entry ${counted(index)}`;
  const range = last === undefined || last === index ? '' : ` to ${counted(last)}`;
  return `PROBLEM      ${code}${place}${range}: ${message}`;
}

function verdict({ ok, firstBad, pinned, signedSize }: ExportReport): string {
  if (!ok) return firstBad === null ? 'NOT VERIFIED' : `NOT VERIFIED: the first bad ${place(firstBad)}`;
  const whose = pinned ? '' : ', if the first key is the right one';
  return `VERIFIED: the first ${counted(signedSize)} entries are what the appliance signed${whose}`;
}

function place({ index = 0, to }: LedgerProblem): string {
  const exact = to === undefined || to === index + 1;
  return exact
    ? `entry is number ${counted(index)}`
    : `entry is one of ${counted(index)} to ${counted(to - 1)}`;
}

const counted = (value: number): string => value.toLocaleString('en-GB');

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** How many functions are told. */
const TOP = 25;
/** What the process did not do: it waited. */
const WAITING = new Set(['(idle)', '(program)', '(root)']);

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** A `.cpuprofile` as V8 writes it. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The dearest functions of the longest profile in a directory, by what they cost themselves and with what they call. */
export function topCosts(directory: string): string {
  const files = readdirSync(directory).filter((name) => name.endsWith('.cpuprofile'));
  const profiles = files.map((name) => readProfile(join(directory, name)));
  const longest = profiles.toSorted((a, b) => b.samples.length - a.samples.length)[0];
  if (longest === undefined) return 'there is no profile';
  const own = ownTimes(longest);
  const busy = [...own].reduce((sum, [node, us]) => (WAITING.has(nameOf(node)) ? sum : sum + us), 0);
  return [
    `busy ${(busy / 1e6).toFixed(1)} s`,
    ...table('by itself', byFunction(own), busy),
    ...table('with what it calls', totals(longest, own), busy),
  ].join('\n');
}

function readProfile(path: string): CpuProfile {
  return JSON.parse(readFileSync(path, 'utf8')) as CpuProfile; // format of V8, as `--cpu-prof` writes it
}

function ownTimes({ nodes, samples, timeDeltas }: CpuProfile): Map<ProfileNode, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const own = new Map<ProfileNode, number>();
  for (const [at, id] of samples.entries()) {
    const node = byId.get(id);
    if (node !== undefined) own.set(node, (own.get(node) ?? 0) + (timeDeltas[at] ?? 0));
  }
  return own;
}

function byFunction(own: ReadonlyMap<ProfileNode, number>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [node, us] of own) add(sums, labelOf(node), us);
  return sums;
}

/** Counts each function once on a path, however often it calls itself. */
function totals({ nodes }: CpuProfile, own: ReadonlyMap<ProfileNode, number>): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const sums = new Map<string, number>();
  const visit = (node: ProfileNode, above: ReadonlySet<string>): number => {
    const label = labelOf(node);
    const path = new Set(above).add(label);
    let sum = own.get(node) ?? 0;
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) sum += visit(child, path);
    }
    if (!above.has(label)) add(sums, label, sum);
    return sum;
  };
  const [root] = nodes;
  if (root !== undefined) visit(root, new Set());
  return sums;
}

function table(title: string, sums: ReadonlyMap<string, number>, busy: number): string[] {
  const rows = [...sums].filter(([label]) => !WAITING.has(label.split(' ')[0] ?? ''));
  const top = rows.toSorted((a, b) => b[1] - a[1]).slice(0, TOP);
  return [
    `\n${title}`,
    ...top.map(([label, us]) => `${((100 * us) / busy).toFixed(1).padStart(5)} %  ${label}`),
  ];
}

function add(sums: Map<string, number>, label: string, us: number): void {
  sums.set(label, (sums.get(label) ?? 0) + us);
}

const nameOf = ({ callFrame }: ProfileNode): string => callFrame.functionName;

function labelOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const where = url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`;
  return `${functionName === '' ? '(anonymous)' : functionName}${where}`;
}

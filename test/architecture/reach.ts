import { posix } from 'node:path';
import type { TreeFile } from '../../scripts/tree.ts';
import type { ImportGraph } from './import-graph.ts';

/** A worker or child is started by address, which no import names: `new URL('./x.ts', import.meta.url)`. */
const BY_ADDRESS = /new URL\(\s*'(\.[^']+\.ts)',\s*import\.meta\.url/g;

/**
 * Source files that nothing started from `roots` ever loads.
 * @param sources the files in question
 * @param graph who imports whom among them
 */
export function findDeadFiles(
  sources: readonly TreeFile[],
  graph: ImportGraph,
  roots: readonly string[],
): string[] {
  const edges = new Map(
    graph.modules.map(({ source, dependencies }) => [source, dependencies.map((one) => one.resolved)]),
  );
  const texts = new Map(sources.map(({ path, text }) => [path, text]));
  const reached = new Set<string>();
  const waiting = [...roots];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...(edges.get(path) ?? []), ...startedBy(path, texts.get(path) ?? ''));
  }
  // A declaration of types has no code to load; the compiler says when it is not needed.
  const loadable = sources.map(({ path }) => path).filter((path) => !path.endsWith('.d.ts'));
  return loadable.filter((path) => !reached.has(path));
}

function startedBy(path: string, text: string): string[] {
  return [...text.matchAll(BY_ADDRESS)].map(([, address = '']) => posix.join(posix.dirname(path), address));
}

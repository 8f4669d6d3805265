import { spawnSync } from 'node:child_process';
import { z } from 'zod';

const ROOT = new URL('../../', import.meta.url).pathname;

const Report = z.object({
  modules: z.array(
    z.object({ source: z.string(), dependencies: z.array(z.object({ resolved: z.string() })) }),
  ),
  summary: z.object({
    totalCruised: z.number(),
    violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
  }),
});

/** Which file imports which, and what breaks the law of .dependency-cruiser.mjs. Paths relative to the tree. */
export type ImportGraph = z.infer<typeof Report>;

/**
 * Reads the imports of a tree, types included, and judges them by our own law.
 * @param tree an absolute path; it has its own package.json, tsconfig.json and node_modules
 */
export function readImportGraph(tree: string = ROOT): ImportGraph {
  const result = spawnSync(
    process.execPath,
    [
      `${ROOT}node_modules/dependency-cruiser/bin/dependency-cruiser.mjs`,
      '--config',
      `${ROOT}.dependency-cruiser.mjs`,
      '--output-type',
      'json',
      '{src,test,scripts,bench}/**/*.ts',
    ],
    { cwd: tree, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
  );
  if (result.stdout === '') throw new Error(`dependency-cruiser gave no answer: ${result.stderr}`);
  return Report.parse(JSON.parse(result.stdout));
}

/** Violations as lines: `rule: from → to`, sorted. */
export function violationsOf(graph: ImportGraph): string[] {
  return graph.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`).sort();
}

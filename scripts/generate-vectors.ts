/**
 * `npm run vectors:generate`: writes test/vectors/, the published vectors of every format. Their keys are made from
 * labels and their signatures are deterministic, so that the same bytes come out every time; a test compares.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { vectorFiles } from './vectors/vector-files.ts';

const OUT = join(import.meta.dirname, '../test/vectors');

for (const [name, text] of vectorFiles()) {
  const path = join(OUT, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(name);
}

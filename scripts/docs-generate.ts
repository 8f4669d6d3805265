/** `npm run docs:generate`: writes every page that is made from a table of the program. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { GENERATED_PAGES } from './docs/documents.ts';

for (const { path, render } of GENERATED_PAGES) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, render());
  console.log(path);
}

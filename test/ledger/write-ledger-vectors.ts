import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ledgerVectors } from './ledger-vectors.ts';

// Run by hand when the format changes, which it does with a new version only: node test/ledger/write-ledger-vectors.ts
const directory = join(import.meta.dirname, '..', 'vectors', 'ledger');
rmSync(directory, { recursive: true, force: true });
for (const [path, content] of await ledgerVectors()) {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), content);
}

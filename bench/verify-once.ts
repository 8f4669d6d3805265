// Verifies one file in a process that has verified nothing yet, and prints how long that took, in milliseconds.
import { readFileSync } from 'node:fs';
import { pinPublicKeys, verifyMachineFile } from '../src/verify/index.ts';
import type { FileToVerify } from './cases/verify-library.ts';

const given = JSON.parse(readFileSync(0, 'utf8')) as FileToVerify; // from the benchmark
const trust = pinPublicKeys({ license: [given.publicKey] });
const started = performance.now();
const verdict = verifyMachineFile(given.file, { trust, ...given.asked });
const took = performance.now() - started;
if (!verdict.valid) throw new Error(`the file is not valid: ${verdict.code} ${verdict.message}`);
process.stdout.write(String(took));

import { spawnSync } from 'node:child_process';
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { join } from 'node:path';
import {
  pinPublicKeys,
  type SignatureVerifiers,
  type VerifyMachineOptions,
  verifyMachineFile,
} from '../../src/verify/index.ts';
import { dataOf, send } from '../../test/support/daemon.ts';
import { latencyOf, median } from '../latency.ts';
import { issueMachines } from '../machines.ts';
import { nativeVerifiers } from '../native-verifiers.ts';
import type { BenchRow } from '../report.ts';
import { PRODUCT, type Stage } from '../stage.ts';

/** A file as the appliance issued it, and what an application knows. */
export interface FileToVerify {
  readonly file: string;
  /** Hexadecimal. */
  readonly publicKey: string;
  readonly asked: Omit<VerifyMachineOptions, 'trust' | 'verifiers'>;
}

const PROCESSES = 9;
const WARM = 100;
const TIMES = 400;

/** How long one file takes: the first in a process, later ones, and with a signature check of the runtime. */
export async function verifyLibraryCase(stage: Stage): Promise<BenchRow[]> {
  const given = await fileOf(stage);
  const bare = bareVerification(given.file.length);
  const floor = latencyOf(times(bare)).p50Ms;
  return [
    row('verify a file, noble, first in its process', { bar: 100, floor }, median(firstTimes(given))),
    row('verify a file, noble, warm', { bar: 5, floor }, warm(given, {})),
    row('verify a file, native adapter', { bar: 0.5, floor }, warm(given, nativeVerifiers())),
  ];
}

function row(name: string, { bar, floor }: { bar: number; floor: number }, tookMs: number): BenchRow {
  return { name, unit: 'ms', ours: tookMs, floor, bar: `≤ ${bar} ms`, holds: tookMs <= bar };
}

async function fileOf(stage: Stage): Promise<FileToVerify> {
  const [machine] = await issueMachines(stage, 1, { name: 'Verify' });
  const key = stage.appliance.trust.keys.find(
    ({ purpose, environment }) => purpose === 'license' && environment === 'live',
  );
  if (machine === undefined || key === undefined)
    throw new Error('there is a machine, and a key of its realm');
  const path = `/machines/${machine.id}/checkout`;
  const { certificate } = await dataOf(send(stage.appliance, { method: 'POST', path, body: {} }));
  const { fingerprint, license } = machine;
  return {
    file: String(certificate),
    publicKey: Buffer.from(key.bytes).toString('hex'),
    asked: { product: PRODUCT, licenseKey: license.key, fingerprint },
  };
}

function firstTimes(given: FileToVerify): number[] {
  return Array.from({ length: PROCESSES }, () => {
    const program = join(import.meta.dirname, '..', 'verify-once.ts');
    const run = spawnSync(process.execPath, [program], { input: JSON.stringify(given), encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`a file was not verified: ${run.stderr}`);
    return Number(run.stdout);
  });
}

function warm({ file, publicKey, asked }: FileToVerify, verifiers: SignatureVerifiers): number {
  const trust = pinPublicKeys({ license: [publicKey] });
  const once = (): void => {
    const verdict = verifyMachineFile(file, { trust, verifiers, ...asked });
    if (!verdict.valid) throw new Error(`the file is not valid: ${verdict.code} ${verdict.message}`);
  };
  return latencyOf(times(once)).p50Ms;
}

function times(work: () => void): number[] {
  for (let i = 0; i < WARM; i++) work();
  return Array.from({ length: TIMES }, () => {
    const started = performance.now();
    work();
    return performance.now() - started;
  });
}

interface Outer {
  readonly enc: string;
  readonly signature: string;
}

/** What cannot be avoided for a file of this length, by the runtime: two layers of base64, a signature, AES-GCM, JSON. */
function bareVerification(characters: number): () => void {
  const bytes = Math.floor((characters * 9) / 16);
  const content = JSON.stringify({ filler: '.'.repeat(bytes) });
  const [key, iv] = [randomBytes(32), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
  const tag = cipher.getAuthTag();
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const enc = sealed.toString('base64');
  const signature = sign(null, Buffer.from(enc), privateKey).toString('base64');
  const file = Buffer.from(JSON.stringify({ enc, signature })).toString('base64');
  return () => {
    const outer = JSON.parse(Buffer.from(file, 'base64').toString('utf8')) as Outer; // made above
    const signer = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const good = verify(null, Buffer.from(outer.enc), signer, Buffer.from(outer.signature, 'base64'));
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 }).setAuthTag(tag);
    const opened = Buffer.concat([decipher.update(Buffer.from(outer.enc, 'base64')), decipher.final()]);
    const { filler } = JSON.parse(opened.toString('utf8')) as { filler: string }; // made above
    if (!good || filler.length !== bytes) throw new Error('the floor does not verify');
  };
}

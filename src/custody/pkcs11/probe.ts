import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../faults.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { KeyAlgorithm } from '../custodian.ts';
import { AgentLost, AgentProcess } from './agent-process.ts';
import { CKF, TokenError } from './cryptoki.ts';
import { modulePath } from './module-file.ts';
import { Signer, type TokenSettings } from './signer.ts';
import { algorithmsOf } from './token-algorithms.ts';
import { readTokenLine, type TokenSeen } from './token-line.ts';
import { PROBE_LABEL } from './token.ts';

/** What is looked into. */
export interface ProbeGiven {
  readonly module: string;
  readonly parameters: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The token to log in to and to sign with; null: only what is said without a PIN. */
  readonly login: Pick<TokenSettings, 'token' | 'pinSource'> | null;
}

/** A token, and what it is good for here. */
export interface ProbedToken {
  /** For `pkcs11.token`. */
  readonly uri: string;
  /** Signature algorithms that Mintmark would use it with, best first. */
  readonly algorithms: readonly KeyAlgorithm[];
  readonly mechanisms: readonly number[];
  /** What an operator should know, in plain words. */
  readonly warnings: readonly string[];
}

/** Signatures of one algorithm, tried. */
export interface ProbedSigning {
  readonly algorithm: KeyAlgorithm;
  readonly perSecond: number;
  readonly medianMs: number;
}

/** What was found. */
export interface Probe {
  /** Real path of the module. */
  readonly module: string;
  readonly library: string;
  readonly tokens: readonly ProbedToken[];
  /** Of the token that was logged in to, with keys that were made for it and removed again; null: none was. */
  readonly signing: readonly ProbedSigning[] | null;
}

const OPEN_DEADLINE_MS = 15_000;
const GENERATE_DEADLINE_MS = 120_000;
/** Signatures per algorithm: at most so many, and for at most this long. */
const SIGNATURES = 500;
const MEASURE_MS = 1000;
const MESSAGE_BYTES = 512;
const DIGEST_BYTES = 32;
const ID_BYTES = 16;

/**
 * Looks into a module: its tokens, what Mintmark would use each for and, with a PIN, how fast one signs.
 * @throws Fault CONFIG_INVALID when the module cannot be loaded; SIGNER_UNAVAILABLE, SIGNER_REFUSED from the token
 */
export async function probe(given: ProbeGiven, around: { clock: Clock; random: Random }): Promise<Probe> {
  try {
    const seen = await look(given);
    return { ...seen, signing: given.login && (await measure({ ...given, ...given.login }, around)) };
  } catch (error) {
    if (error instanceof AgentLost) throw new Fault('SIGNER_UNAVAILABLE', error.message, { cause: error });
    if (!(error instanceof TokenError)) throw error;
    const code = error.of === 'setup' ? 'CONFIG_INVALID' : 'SIGNER_UNAVAILABLE';
    throw new Fault(code, error.message, { cause: error });
  }
}

async function look({ module, parameters, environment }: ProbeGiven): Promise<Omit<Probe, 'signing'>> {
  const path = modulePath(module);
  const agent = new AgentProcess(environment);
  try {
    const asked = { module: Buffer.from(path, 'utf8'), parameters: Buffer.from(parameters, 'utf8') };
    const { library, tokens } = await agent.call('tokens', asked, OPEN_DEADLINE_MS);
    const lines = tokens.toString('utf8').split('\n').filter(Boolean).map(readTokenLine);
    return {
      module: path,
      library: library.toString('utf8'),
      tokens: lines.map((one) => probed(one, lines)),
    };
  } finally {
    agent.kill();
    await agent.ended;
  }
}

function probed(seen: TokenSeen, all: readonly TokenSeen[]): ProbedToken {
  const { text: uri, mechanisms } = seen;
  const algorithms = (seen.flags & CKF.TOKEN_INITIALIZED) === 0 ? [] : algorithmsOf(mechanisms);
  return { uri, algorithms, mechanisms, warnings: warningsOf(seen, { all, algorithms }) };
}

function warningsOf(
  { uri, flags, mechanisms }: TokenSeen,
  { all, algorithms }: { readonly all: readonly TokenSeen[]; readonly algorithms: readonly KeyAlgorithm[] },
): string[] {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const made = has(CKF.TOKEN_INITIALIZED);
  const labels = all.map((other) => other.uri.token ?? '');
  const namesakes = labels.filter((label) => label === (uri.token ?? '')).length - 1;
  const warnings: readonly (readonly [boolean, string])[] = [
    [!made, 'no token was made in this slot yet: use the tool of its vendor'],
    [made && !has(CKF.USER_PIN_INITIALIZED), 'it has no user PIN yet'],
    [has(CKF.USER_PIN_LOCKED), 'its user PIN is locked; its security officer sets a new one'],
    [has(CKF.USER_PIN_FINAL_TRY), 'one more wrong PIN locks it; Mintmark will not try any'],
    [has(CKF.USER_PIN_COUNT_LOW), 'the last PIN that it was given was wrong'],
    [made && namesakes > 0, `${namesakes} more tokens have this label: name it by its serial`],
    [
      algorithmsOf(mechanisms).length === 0,
      'it has neither Ed25519 nor ECDSA on P-256: Mintmark cannot use it',
    ],
    [
      algorithms.length === 1 && algorithms[0] === 'ecdsa-p256',
      'it has no Ed25519: keys will be ECDSA P-256, and the ledger key has to be in a file (custody.inFiles = ["ledger"])',
    ],
  ];
  return warnings.filter(([holds]) => holds).map(([, text]) => text);
}

/** Each algorithm of a token with a key that is made for it, and removed whatever comes. */
async function measure(
  settings: TokenSettings,
  { clock, random }: { clock: Clock; random: Random },
): Promise<ProbedSigning[]> {
  // Nothing of a probe stays: neither the record of its PIN, which a person is there to get right, nor the key of that.
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-probe-'));
  const signer = new Signer({ ...settings, directory, clock, pinKey: () => random.bytes(DIGEST_BYTES) });
  try {
    const { mechanisms } = await signer.start();
    const measured: ProbedSigning[] = [];
    for (const algorithm of algorithmsOf(mechanisms)) {
      measured.push(await measureOne(signer, { algorithm, clock, random }));
    }
    return measured;
  } finally {
    await signer.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureOne(
  signer: Signer,
  given: { readonly algorithm: KeyAlgorithm; readonly clock: Clock; readonly random: Random },
): Promise<ProbedSigning> {
  const { algorithm, clock, random } = given;
  const id = random.bytes(ID_BYTES);
  const name = { label: Buffer.from(`${PROBE_LABEL}${id.toString('hex')}`, 'utf8'), id };
  const asked = { algorithm: Buffer.from(algorithm, 'utf8'), ...name };
  await signer.ask('generate', asked, { deadlineMs: GENERATE_DEADLINE_MS, again: false });
  try {
    const data = random.bytes(algorithm === 'ed25519' ? MESSAGE_BYTES : DIGEST_BYTES);
    const times: number[] = [];
    const begun = clock.monotonic();
    while (times.length < SIGNATURES && clock.monotonic() - begun < MEASURE_MS) {
      const before = clock.monotonic();
      await signer.ask('sign', { ...asked, data });
      times.push(clock.monotonic() - before);
    }
    const seconds = (clock.monotonic() - begun) / 1000;
    const median = times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
    return { algorithm, perSecond: Math.round(times.length / seconds), medianMs: Number(median.toFixed(2)) };
  } finally {
    await signer.ask('discard', name);
  }
}

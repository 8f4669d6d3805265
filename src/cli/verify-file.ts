import { readFileSync } from 'node:fs';
import {
  type Environment,
  pinPublicKeys,
  RevocationList,
  rootFingerprint,
  type Trust,
  type SignedKeyVerdict,
  type Verdict,
  verifyLicenseFile,
  verifyMachineFile,
  verifySignedKey,
  type VerifyOptions,
  verifyTrustBundle,
} from '../verify/index.ts';
import { isoTime } from '../lib/clock.ts';
import { CliError, EXIT } from './exit-code.ts';
import { NODE_VERIFIERS } from './p256.ts';
import { details, type Output, readSecret } from './terminal.ts';

/** Options of `mintmark verify`. */
export interface VerifyFlags {
  readonly product?: string;
  readonly trust?: string;
  readonly root?: string[];
  readonly publicKey?: string[];
  readonly licenseKeyFile?: string;
  readonly licenseKey?: string;
  readonly fingerprint?: string;
  readonly fingerprintFile?: string;
  readonly revocations?: string;
  readonly refuseDev?: boolean;
}

/** A licence file is at most 64 KB; anything much larger is another file. */
const FILE_BYTES = 1024 * 1024;

/** Judges a file and prints the verdict; not valid is exit code 3. @throws CliError */
export async function runVerify({
  file,
  flags,
  environment: named,
  tenant,
  out,
}: {
  file: string;
  flags: VerifyFlags;
  environment: string;
  /** Code of the tenant that must have issued it; undefined: whichever the trust is of. */
  tenant: string | undefined;
  out: Output;
}): Promise<void> {
  const environment = environmentOf(named);
  const text = readText(file);
  const { trust, rootChecked } = trustOf(flags, tenant);
  const key = await licenseKeyOf(flags, out);
  const options: VerifyOptions = {
    trust,
    environment,
    tenant,
    product: flags.product ?? 'any',
    licenseKey: key,
    refuseDev: flags.refuseDev,
    verifiers: NODE_VERIFIERS,
    revocations:
      flags.revocations === undefined ? undefined : revocationsOf(flags.revocations, trust, environment),
  };
  const told = tell(text, options, flags);
  const { verdict } = told;
  const unchecked = [...new Set([...verdict.unchecked, ...(rootChecked ? [] : ['root'])])];
  out.result({ ...told.json, unchecked }, () => describe(told, unchecked));
  if (!verdict.valid) throw new CliError(EXIT.invalid, '');
}

/** A verdict, and what is known of the thing judged: for programs, and in lines for people. */
interface Told {
  readonly verdict: Pick<Verdict, 'valid' | 'code' | 'message' | 'dev' | 'unchecked'>;
  readonly json: Readonly<Record<string, unknown>>;
  /** Empty: it is not genuine, and nothing is known of it. */
  readonly facts: Readonly<Record<string, unknown>>;
}

function tell(text: string, options: VerifyOptions, flags: VerifyFlags): Told {
  if (/^[\w-]+\.[\w-]+\.[\w-]+\s*$/.test(text)) {
    const remedy = 'Check it with a JOSE library and license-jwks.json, as docs/formats/token.md says.';
    throw new CliError(EXIT.usage, 'a compact token is not checked here', remedy);
  }
  if (text.startsWith('key/')) return tellKey(verifySignedKey(text, options));
  const verdict = judge(text, options, flags);
  return { verdict, json: jsonOf(verdict), facts: factsOf(verdict) };
}

function tellKey(verdict: SignedKeyVerdict): Told {
  const { valid, code, message, dev, trustStale, signedKey } = verdict;
  const expiresAt = timeOf(signedKey?.expiresAtMs);
  const json = { valid, code, message, dev, trustStale, expiresAt, signedKey: signedKey ?? null };
  if (signedKey === undefined) return { verdict, json, facts: {} };
  const { licenseId, product, policy, entitlements } = signedKey;
  return { verdict, json, facts: { licence: licenseId, product, policy, entitlements, expires: expiresAt } };
}

function judge(text: string, options: VerifyOptions, flags: VerifyFlags): Verdict {
  if (!text.startsWith('-----BEGIN MACHINE FILE-----')) return verifyLicenseFile(text, options);
  const fingerprint =
    flags.fingerprintFile === undefined ? flags.fingerprint : readText(flags.fingerprintFile).trim();
  if (fingerprint === undefined) {
    throw new CliError(
      EXIT.usage,
      'a machine file is checked against the fingerprint of its machine',
      'Give --fingerprint or --fingerprint-file.',
    );
  }
  return verifyMachineFile(text, { ...options, fingerprint });
}

function environmentOf(name: string): Environment {
  if (name === 'live' || name === 'test') return name;
  throw new CliError(EXIT.usage, '--environment is live or test');
}

async function licenseKeyOf(flags: VerifyFlags, out: Output): Promise<string | undefined> {
  const sources = { file: flags.licenseKeyFile, argument: flags.licenseKey, prompt: 'licence key' };
  return (await readSecret(sources, out))?.expose();
}

function trustOf(flags: VerifyFlags, tenant: string | undefined): { trust: Trust; rootChecked: boolean } {
  if (flags.publicKey !== undefined) {
    return { trust: pinned(flags.publicKey), rootChecked: false };
  }
  if (flags.trust === undefined) {
    throw new CliError(
      EXIT.usage,
      'nothing to check the signature with',
      'Give --trust and --root, or --public-key.',
    );
  }
  const wrong = (flags.root ?? []).find((text) => !/^[0-9a-f]{64}$/i.test(text));
  if (wrong !== undefined) {
    throw new CliError(
      EXIT.usage,
      `--root takes 64 hexadecimal digits; ${wrong} is something else`,
      '`mintmark trust fingerprint` prints it on the appliance.',
    );
  }
  const bundle = readText(flags.trust).trim();
  const answer = verifyTrustBundle(bundle, {
    roots: flags.root ?? rootsNamedBy(bundle),
    tenant,
    verifiers: NODE_VERIFIERS,
  });
  if (answer.trust === undefined) {
    throw new CliError(
      EXIT.invalid,
      `${answer.code}: the trust bundle is not accepted: ${answer.message}`,
      'Compare --root and --tenant with what `mintmark trust fingerprint` prints on the appliance.',
    );
  }
  return { trust: answer.trust, rootChecked: flags.root !== undefined };
}

function pinned(keys: readonly string[]): Trust {
  try {
    return pinPublicKeys({ license: keys });
  } catch {
    throw new CliError(EXIT.usage, '--public-key takes 64 hexadecimal digits (Ed25519) or 130 (P-256)');
  }
}

/** Without a pinned root the bundle vouches for itself; the verdict says that the root was not checked. */
function rootsNamedBy(bundle: string): string[] {
  try {
    const payload: unknown = JSON.parse(Buffer.from(payloadOf(bundle), 'base64url').toString('utf8'));
    const { roots } = payload as { roots: { jwk: Parameters<typeof rootFingerprint>[0] }[] }; // checked by the library next
    return roots.map(({ jwk }) => rootFingerprint(jwk));
  } catch {
    throw new CliError(
      EXIT.usage,
      'the trust bundle cannot be read',
      'Name the file that `mintmark trust export` wrote.',
    );
  }
}

function payloadOf(bundle: string): string {
  if (!bundle.startsWith('{')) return bundle.split('.')[1] ?? '';
  return (JSON.parse(bundle) as { payload: string }).payload; // general JSON serialisation, RFC 7515 section 7.2
}

function revocationsOf(file: string, trust: Trust, environment: Environment): RevocationList {
  const answer = RevocationList.accept(readText(file).trim(), {
    trust,
    environment,
    verifiers: NODE_VERIFIERS,
  });
  if (answer.list !== undefined) return answer.list;
  throw new CliError(EXIT.invalid, `${answer.code}: the revocation list is not accepted: ${answer.message}`);
}

function readText(path: string): string {
  try {
    const text = readFileSync(path === '-' ? 0 : path);
    if (text.length > FILE_BYTES) throw new CliError(EXIT.usage, `${path} is too large`);
    return text.toString('utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      EXIT.usage,
      `${path} cannot be read`,
      'Name a file that is there and that you may read.',
    );
  }
}

function jsonOf(verdict: Verdict): Record<string, unknown> {
  const { valid, code, message, enforcement, dev, trustStale, fileId, expiresAtMs } = verdict;
  return {
    valid,
    code,
    message,
    enforcement: enforcement ?? null,
    dev,
    trustStale,
    fileId: fileId ?? null,
    expiresAt: timeOf(expiresAtMs),
    license: verdict.license ?? null,
    machine: verdict.machine ?? null,
    entitlements: verdict.entitlements.map(({ code: name }) => name),
  };
}

function timeOf(at: number | undefined): string | null {
  return at === undefined || !Number.isFinite(at) ? null : isoTime(at);
}

/** Some files are valid although there is something to say of them, such as EXPIRED_IN_GRACE. */
function validText({ code, message }: Told['verdict']): string {
  return code === 'VALID' ? 'VALID' : `VALID, but ${code}: ${message}`;
}

function describe({ verdict, facts }: Told, unchecked: readonly string[]): string {
  const head = verdict.valid ? validText(verdict) : `NOT VALID: ${verdict.code}: ${verdict.message}`;
  const dev = verdict.dev ? '\nThis file comes from a DEVELOPMENT appliance; release builds refuse it.' : '';
  return `${head}\n${details({ ...facts, 'not checked': unchecked })}${dev}`;
}

/** Of a file that is not genuine nothing is known. */
function factsOf(verdict: Verdict): Record<string, unknown> {
  if (verdict.content === undefined) return {};
  return {
    file: verdict.fileId,
    licence: verdict.license?.id,
    status: verdict.license?.status,
    machine: verdict.machine?.id,
    entitlements: verdict.entitlements.map(({ code }) => code),
    expires: timeOf(verdict.expiresAtMs),
    enforcement: verdict.enforcement,
  };
}

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WITHOUT_COPY } from '../../src/custody/index.ts';
import type { TokenSettings } from '../../src/custody/pkcs11/signer.ts';

const MODULES = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib64/pkcs11/libsofthsm2.so'];
/** SoftHSM's module, where Debian and Fedora put it. */
export const SOFTHSM_MODULE = MODULES.find((path) => existsSync(path));

/** What the tests of tokens need and this machine lacks, in words; null: nothing. */
export function missingForTokens(): string | null {
  if (SOFTHSM_MODULE === undefined) return 'SoftHSM is not installed (Debian: softhsm2)';
  if (!existsSync(BINDING)) return 'the binding to PKCS#11 modules is not built (scripts/build-pkcs11)';
  return null;
}

const BINDING = join(createRequire(import.meta.url).resolve('pkcs11js'), '..', 'build/Release/pkcs11.node');

/** Numbers, as most HSMs demand. */
export const SOFTHSM_PIN = '48151623';
const SECURITY_OFFICER_PIN = '42108151';

/** `init` on a token without a second one. */
export const NO_BACKUP = ['--no-backup', WITHOUT_COPY];

/** The settings with which an appliance makes its keys in a token, as `--set` takes them. */
export function tokenSets({ module, pinSource, environment }: TokenSettings): string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return [
    ...['custody.custodian=pkcs11', 'pkcs11.token=mintmark'],
    ...[`pkcs11.module=${module}`, `pkcs11.pinSource=${pinSource}`],
    `pkcs11.environment=${variables.join(',')}`,
  ];
}

/** A directory of SoftHSM tokens of its own, with one token in it. */
export class SoftHsm {
  readonly root: string;
  readonly tokens: string;
  readonly pinFile: string;
  readonly environment: Readonly<Record<string, string>>;

  constructor(label = 'mintmark') {
    this.root = mkdtempSync(join(tmpdir(), 'mintmark-softhsm-'));
    this.tokens = join(this.root, 'tokens');
    this.pinFile = join(this.root, 'pin');
    const config = join(this.root, 'softhsm2.conf');
    writeFileSync(
      config,
      `directories.tokendir = ${this.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    this.environment = { SOFTHSM2_CONF: config };
    mkdirSync(this.tokens, { mode: 0o700 });
    this.writePin(SOFTHSM_PIN);
    this.addToken(label);
  }

  /** How Mintmark is told of the token. */
  get settings(): TokenSettings {
    const module = SOFTHSM_MODULE ?? 'none';
    const token = 'pkcs11:token=mintmark';
    return { module, parameters: '', token, pinSource: this.pinFile, environment: this.environment };
  }

  addToken(label: string): void {
    const pins = ['--pin', SOFTHSM_PIN, '--so-pin', SECURITY_OFFICER_PIN];
    this.#run('softhsm2-util', ['--init-token', '--free', '--label', label, ...pins]);
  }

  /** Serial numbers of its tokens. */
  serials(): string[] {
    const shown = this.#run('softhsm2-util', ['--show-slots']);
    return Array.from(shown.matchAll(/Serial number: +([0-9a-f]+)/g), ([, serial = '']) => serial);
  }

  /**
   * A second token with the same keys and the same PIN, and a serial of its own: what the tools of vendors make of two
   * devices. SoftHSM has no such tool; its tokens are directories, with the serial in clear.
   */
  cloneToken(serial: string, newSerial: string): void {
    const directory = join(this.tokens, 'second-token');
    cpSync(this.#directoryOf(serial), directory, { recursive: true });
    const file = join(directory, 'token.object');
    const bytes = readFileSync(file);
    bytes.write(newSerial, bytes.indexOf(serial), 'ascii');
    writeFileSync(file, bytes);
  }

  /** Brings a key pair from outside, as whoever has the PIN can. */
  importP256(serial: string, { label, id }: { readonly label: string; readonly id: string }): void {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const path = join(this.root, 'imported.pem');
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const to = ['--serial', serial, '--label', label, '--id', id, '--pin', SOFTHSM_PIN];
    this.#run('softhsm2-util', ['--import', path, ...to]);
  }

  /** Takes one token away. */
  loseToken(serial: string): void {
    renameSync(this.#directoryOf(serial), join(this.root, `lost-${serial}`));
  }

  writePin(pin: string): void {
    rmSync(this.pinFile, { force: true });
    writeFileSync(this.pinFile, `${pin}\n`, { mode: 0o600 });
  }

  /** As a person would with OpenSC's tool, logged in. */
  pkcs11Tool(args: readonly string[], pin = SOFTHSM_PIN): string {
    const login = ['--module', this.settings.module, '--token-label', 'mintmark', '--login', '--pin', pin];
    return this.#run('pkcs11-tool', [...login, ...args]);
  }

  /** Takes every token away, as if the device had been unplugged. */
  unplug(): void {
    renameSync(this.tokens, `${this.tokens}.away`);
    mkdirSync(this.tokens, { mode: 0o700 });
  }

  plugIn(): void {
    rmSync(this.tokens, { recursive: true, force: true });
    renameSync(`${this.tokens}.away`, this.tokens);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #directoryOf(serial: string): string {
    const named = readdirSync(this.tokens).map((name) => join(this.tokens, name));
    const found = named.find((path) => readFileSync(join(path, 'token.object')).includes(serial));
    if (found === undefined) throw new Error(`there is no token ${serial}`);
    return found;
  }

  #run(program: string, args: readonly string[]): string {
    const env = { ...process.env, ...this.environment };
    return execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

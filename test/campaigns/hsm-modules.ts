import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenSettings } from '../../src/custody/pkcs11/signer.ts';
import { SOFTHSM_PIN as PIN, SoftHsm } from '../support/softhsm.ts';

/** A token that was made for a test, and its end. */
export interface TokenUnderTest extends Disposable {
  readonly settings: TokenSettings;
}

/** A PKCS#11 module, as Debian has it. */
export interface ModuleRow {
  readonly name: string;
  /** Packages of the module and of what its token is made with. */
  readonly packages: readonly string[];
  /** Where the module may be. */
  readonly paths: readonly string[];
  /** Makes an empty token of its own; null: there is one per machine, which is not ours to empty. */
  readonly newToken: ((module: string) => TokenUnderTest) | null;
  /** Starts what the module wants running; null: it could not, or it runs already. */
  readonly start?: () => Disposable | null;
}

const SECURITY_OFFICER_PIN = '42108151';
const LIB = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

/** Every module that the custodian is tried on beside those of vendors, whom nobody can install. */
export const MODULES: readonly ModuleRow[] = [
  {
    name: 'SoftHSM',
    packages: ['softhsm2'],
    paths: ['/usr/lib/softhsm/libsofthsm2.so'],
    newToken: () => new SoftHsm(),
  },
  {
    name: 'NSS softokn',
    packages: ['libnss3', 'libnss3-tools'],
    paths: [`${LIB}/libsoftokn3.so`, `${LIB}/nss/libsoftokn3.so`],
    newToken: (module) => new NssToken(module),
  },
  {
    name: 'TPM 2.0',
    packages: ['swtpm', 'tpm2-abrmd', 'libtss2-tcti-tabrmd0', 'libtpm2-pkcs11-1', 'dbus-daemon', 'opensc'],
    paths: [`${LIB}/pkcs11/libtpm2_pkcs11.so`, `${LIB}/libtpm2_pkcs11.so.1`],
    newToken: (module) => new TpmToken(module),
  },
  {
    name: 'kryoptic',
    packages: ['kryoptic'],
    paths: [`${LIB}/pkcs11/libkryoptic_pkcs11.so`, `${LIB}/libkryoptic_pkcs11.so`],
    newToken: null,
  },
  {
    name: 'opencryptoki',
    packages: ['opencryptoki'],
    paths: [`${LIB}/pkcs11/libopencryptoki.so`, `${LIB}/opencryptoki/libopencryptoki.so`],
    newToken: null,
    start: startSlotDaemon,
  },
];

/** The module's file; undefined when it is not installed. */
export function pathOf({ paths }: ModuleRow): string | undefined {
  return paths.find((path) => existsSync(path));
}

const SLOT_DAEMON_PID = '/var/run/pkcsslotd.pid';

/** opencryptoki has one daemon per machine, which wants to be root. */
function startSlotDaemon(): Disposable | null {
  if (isSlotDaemonRunning() || process.getuid?.() !== 0) return null;
  rmSync(SLOT_DAEMON_PID, { force: true });
  execFileSync('pkcsslotd', { stdio: 'ignore' });
  waitFor(isSlotDaemonRunning);
  const pid = slotDaemonPid();
  return { [Symbol.dispose]: () => process.kill(pid) };
}

function isSlotDaemonRunning(): boolean {
  return existsSync(SLOT_DAEMON_PID) && slotDaemonPid() > 0 && existsSync(`/proc/${slotDaemonPid()}/fd`);
}

function slotDaemonPid(): number {
  return Number(readFileSync(SLOT_DAEMON_PID, 'utf8'));
}

/** A directory, a PIN file in it, and what must end with it. */
class OwnPlace {
  readonly root = mkdtempSync(join(tmpdir(), 'mintmark-module-'));
  readonly pinFile = join(this.root, 'pin');
  readonly #children: ChildProcess[] = [];

  constructor() {
    writeFileSync(this.pinFile, `${PIN}\n`, { mode: 0o600 });
  }

  run(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
    const env = { ...process.env, ...environment };
    return execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  }

  start(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): void {
    const env = { ...process.env, ...environment };
    this.#children.push(spawn(program, args, { stdio: 'ignore', env }));
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A certificate database of NSS: told where it is by parameters, not by a variable. */
class NssToken implements TokenUnderTest {
  readonly #place = new OwnPlace();
  readonly settings: TokenSettings;

  constructor(module: string) {
    const { root, pinFile } = this.#place;
    this.#place.run('certutil', ['-N', '-d', `sql:${root}`, '-f', pinFile]);
    const parameters = `configdir='sql:${root}' certPrefix='' keyPrefix='' secmod='' flags=''`;
    const token = 'pkcs11:token=NSS%20Certificate%20DB';
    this.settings = { module, parameters, token, pinSource: pinFile, environment: {} };
  }

  [Symbol.dispose](): void {
    this.#place[Symbol.dispose]();
  }
}

/**
 * A software TPM, a store of wrapped keys beside it, and a resource manager, which a machine with a TPM has in its kernel:
 * without one, what an agent that was killed left in the TPM stays there and fills it.
 */
class TpmToken implements TokenUnderTest {
  readonly #place = new OwnPlace();
  readonly settings: TokenSettings;

  constructor(module: string) {
    const place = this.#place;
    const at = (name: string): string => join(place.root, name);
    for (const name of ['state', 'store']) mkdirSync(at(name), { mode: 0o700 });
    const [bus, tpm] = [`unix:path=${at('bus')}`, at('tpm')];
    place.start('swtpm', [
      ...['socket', '--tpm2', '--tpmstate', `dir=${at('state')}`, '--flags', 'not-need-init,startup-clear'],
      ...['--server', `type=unixio,path=${tpm}`, '--ctrl', `type=unixio,path=${tpm}.ctrl`],
    ]);
    place.start('dbus-daemon', ['--session', '--nofork', '--nopidfile', `--address=${bus}`]);
    for (const path of [at('bus'), `${tpm}.ctrl`]) waitFor(() => existsSync(path));
    const environment = {
      DBUS_SESSION_BUS_ADDRESS: bus,
      TPM2_PKCS11_STORE: at('store'),
      TPM2_PKCS11_TCTI: 'tabrmd:bus_type=session',
    };
    const root = process.getuid?.() === 0 ? ['--allow-root'] : [];
    place.start('tpm2-abrmd', ['--session', ...root, `--tcti=swtpm:path=${tpm}`], environment);
    const tool = (args: readonly string[]): unknown =>
      place.run('pkcs11-tool', ['--module', module, ...args, '--so-pin', SECURITY_OFFICER_PIN], environment);
    waitFor(() => succeeds(() => tool(['--init-token', '--label', 'mintmark'])));
    tool(['--token-label', 'mintmark', '--init-pin', '--login', '--login-type', 'so', '--pin', PIN]);
    const token = 'pkcs11:token=mintmark';
    this.settings = { module, parameters: '', token, pinSource: place.pinFile, environment };
  }

  [Symbol.dispose](): void {
    this.#place[Symbol.dispose]();
  }
}

/** Programs that were just started are there in a moment; without one there is nothing to wait for. */
function waitFor(isThere: () => boolean): void {
  for (let looked = 0; looked < 500; looked++) {
    if (isThere()) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  throw new Error('a program that a token needs did not start');
}

function succeeds(body: () => unknown): boolean {
  try {
    body();
    return true;
  } catch {
    return false;
  }
}

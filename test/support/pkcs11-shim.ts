import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenSettings } from '../../src/custody/pkcs11/signer.ts';
import type { SoftHsm } from './softhsm.ts';

const SOURCE = join(import.meta.dirname, 'pkcs11-shim.c');

/** A PKCS#11 module of our own in front of SoftHSM's, which does wrong what it is told to. */
export class Pkcs11Shim {
  readonly #directory = mkdtempSync(join(tmpdir(), 'mintmark-shim-'));

  /** Compiles it. @throws when there is no compiler: {@link hasCompiler} says so beforehand */
  constructor() {
    const flags = ['-Wall', '-Wextra', '-Wno-cast-function-type', '-Werror', '-O1', '-fPIC', '-shared'];
    const built = spawnSync('cc', [...flags, SOURCE, '-ldl', '-o', this.#at('shim.so')], {
      encoding: 'utf8',
    });
    if (built.status !== 0) throw new Error(`the shim does not compile: ${built.stderr}`);
  }

  /** How Mintmark is told of a token behind the shim. */
  inFrontOf(hsm: SoftHsm): TokenSettings {
    const variables = {
      SHIM_MODULE: hsm.settings.module,
      SHIM_ORDERS: this.#at('orders'),
      SHIM_LOGINS: this.#at('logins'),
    };
    const environment = { ...hsm.environment, ...variables };
    return { ...hsm.settings, module: this.#at('shim.so'), environment };
  }

  /** What to do wrong from now on; see the source. Empty: nothing. */
  order(what: string): void {
    writeFileSync(this.#at('orders'), what);
  }

  /** How often a login was refused by the shim. */
  refusedLogins(): number {
    const path = this.#at('logins');
    return existsSync(path) ? readFileSync(path).length : 0;
  }

  forgetLogins(): void {
    rmSync(this.#at('logins'), { force: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #at(name: string): string {
    return join(this.#directory, name);
  }
}

/** Whether C can be compiled here. */
export function hasCompiler(): boolean {
  return spawnSync('cc', ['--version']).status === 0;
}

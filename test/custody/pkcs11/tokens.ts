import { onTestFinished } from 'vitest';
import { Kek } from '../../../src/custody/kek.ts';
import { Pkcs11Custodian } from '../../../src/custody/pkcs11/pkcs11-custodian.ts';
import type { TokenSettings } from '../../../src/custody/pkcs11/signer.ts';
import type { TokensSettings } from '../../../src/custody/pkcs11/token-settings.ts';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import { SoftHsm } from '../../support/softhsm.ts';
import { random, temporaryDirectory } from '../custody-fixtures.ts';

/** What a test changes of what a custodian is given. */
export interface Changed {
  readonly settings?: Partial<TokensSettings>;
  readonly clock?: Clock;
  readonly heard?: (line: string) => void;
}

/** SoftHSM with an appliance's place for its custodian. */
export function newTokenStore() {
  return newStoreOn(new SoftHsm());
}

/** A token and an appliance's place for its custodian; both are ended with the test. */
export function newStoreOn<T extends Disposable & { readonly settings: TokenSettings }>(hsm: T) {
  onTestFinished(() => {
    hsm[Symbol.dispose]();
  });
  const directory = temporaryDirectory();
  const kek = Kek.generate(random);
  const custodian = ({ settings = {}, clock = systemClock, heard }: Changed = {}): Pkcs11Custodian => {
    const pkcs11 = { ...hsm.settings, ...settings, clock, heard };
    const made = new Pkcs11Custodian({ directory, random, kek: () => kek, pkcs11 });
    onTestFinished(() => made[Symbol.asyncDispose]());
    return made;
  };
  const open = async (changed?: Changed): Promise<Pkcs11Custodian> => {
    const made = custodian(changed);
    await made.start();
    return made;
  };
  return { hsm, directory, kek, custodian, open };
}

import { Fault } from '../faults.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { FoundLicense } from './license-directory-store.ts';
import { WEAK_GUESS_POINTS } from './failure-limiter.ts';
import type { LicenseKeys } from './license-keys.ts';
import type { Principal } from './principal.ts';
import type { RealmDirectory } from './tenants/realm-directory.ts';

/** What proving a licence key needs. */
export interface LicenseProofDeps {
  readonly licenseKeys: Pick<LicenseKeys, 'find'>;
  readonly realms: Pick<RealmDirectory, 'standing'>;
  /** Whether a text could be a weak key; licensing's `isWeakGuess`. */
  readonly isWeakGuess: (text: string) => boolean;
}

/** A licence key that was shown; `realm`: where a publishable key beside it says to look. */
export interface ShownLicense {
  readonly text: string;
  readonly realm: RealmId | { readonly fault: Fault; readonly rule: string } | undefined;
  readonly presented: { readonly environment: string | undefined };
}

type Proof =
  { readonly who: Principal } | { readonly fault: Fault; readonly rule: string; readonly points?: number };

/** Longer than any key: not worth a digest. */
const KEY_CHARACTERS = 1024;

/**
 * Proves a licence by its key (`Authorization: License <key>`). The key finds its realm: that of the publishable key
 * beside it, else the one live realm that holds it, or a test realm when `X-Mintmark-Environment: test` asks for one.
 * What state the licence is in is for the operation to judge.
 */
export function proveLicense(deps: LicenseProofDeps, shown: ShownLicense): Proof {
  if (typeof shown.realm === 'object') return shown.realm;
  if (shown.text.length > KEY_CHARACTERS) return unknown('license.unknown');
  const { places } = deps.licenseKeys.find(shown.text);
  const fitting = places.filter(({ realm }) => isWanted(deps, realm, shown));
  const [license, second] = fitting;
  if (license === undefined) {
    const points = deps.isWeakGuess(shown.text) ? WEAK_GUESS_POINTS : 1;
    return { ...unknown('license.unknown'), points };
  }
  if (second !== undefined) {
    const message = 'several tenants know this licence key; send X-Publishable-Key to name one';
    return { fault: new Fault('REALM_REQUIRED', message), rule: 'license.realm' };
  }
  return { who: principalOf(license) };
}

function isWanted(
  deps: LicenseProofDeps,
  realm: RealmId,
  { realm: named, presented }: ShownLicense,
): boolean {
  if (named !== undefined) return realm === named;
  const { environment, status } = deps.realms.standing(realm);
  return status !== 'erased' && environment === (presented.environment === 'test' ? 'test' : 'live');
}

function principalOf({ realm, licenseId }: FoundLicense): Principal {
  const actor = { kind: 'license', id: licenseId, via: 'license-key' } as const;
  return { kind: 'license', actor, realm, licenseId };
}

function unknown(rule: string): { readonly fault: Fault; readonly rule: string } {
  return {
    fault: new Fault(
      'UNAUTHENTICATED',
      'the licence key is not valid; check that it is complete and of this appliance',
    ),
    rule,
  };
}

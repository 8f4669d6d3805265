import { prepareToken } from '../../src/issuing/token.ts';
import { KEYS, LICENSE, MACHINE, META, PROTECTION } from './samples.ts';

/** The sample licence as a compact token bound to the sample machine. */
export function sampleToken(): string {
  const { signer, token } = { signer: KEYS.license, token: facts() };
  const jwt = prepareToken(token, signer.ref);
  return jwt.finish(signer.sign(jwt.signingInput));
}

function facts(): Parameters<typeof prepareToken>[0] {
  return {
    licenseId: LICENSE.id,
    policyId: LICENSE.owners.policyId,
    status: LICENSE.status,
    maskedKey: PROTECTION.plain.maskedKey,
    entitlementCodes: ['export-pdf'],
    machine: { id: MACHINE.id, fingerprint: MACHINE.fingerprint },
    meta: META,
  };
}

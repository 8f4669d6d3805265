import { describe } from 'vitest';
import { missingForTokens } from '../../support/softhsm.ts';
import { describeCustodian } from '../custodian-contract.ts';
import { newTokenStore } from './tokens.ts';

const missing = missingForTokens();

describe.skipIf(missing !== null)(`with SoftHSM${missing === null ? '' : `: NOT TRIED, ${missing}`}`, () => {
  describeCustodian({ name: 'pkcs11', algorithms: ['ed25519', 'ecdsa-p256'], newStore: newTokenStore });
});

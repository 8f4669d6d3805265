import { describe, expect, it } from 'vitest';
import { probe } from '../../../src/custody/index.ts';
import { algorithmsOf } from '../../../src/custody/pkcs11/token-algorithms.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { type ModuleRow, MODULES, pathOf, type TokenUnderTest } from '../../campaigns/hsm-modules.ts';
import { describeCustodian } from '../custodian-contract.ts';
import { random } from '../custody-fixtures.ts';
import { newStoreOn } from './tokens.ts';

const around = { clock: systemClock, random };
const NO_LOGIN = { parameters: '', environment: {}, login: null } as const;

for (const row of MODULES) await describeModule(row);

async function describeModule(row: ModuleRow): Promise<void> {
  const { name, newToken } = row;
  const module = pathOf(row);
  // `npm run test:hsm-matrix` names those that are not installed.
  if (module === undefined) return;
  if (newToken === null) {
    describe(`${name}: looked into alone, its one token per machine is not ours to empty`, () => {
      it('says what its tokens can be used for', () => lookInto(row, module));
    });
  } else {
    const { library, algorithms, rates } = await signWith(newToken(module));
    const [best, ...others] = algorithms;
    describe(`${name} (${library}; ${rates})`, () => {
      it('has an algorithm that we use', () => {
        expect(best).toBeDefined();
      });
      if (best === undefined) return;
      const newStore = () => newStoreOn(newToken(module));
      describeCustodian({ name: 'pkcs11', algorithms: [best, ...others], newStore });
    });
  }
}

async function lookInto({ name, start }: ModuleRow, module: string): Promise<void> {
  using _running = start?.() ?? null;
  const { tokens, library } = await probe({ module, ...NO_LOGIN }, around);
  expect(tokens.length).toBeGreaterThan(0);
  for (const { uri, mechanisms, warnings } of tokens) {
    const usable = algorithmsOf(mechanisms);
    console.log(`${name} (${library}), ${uri}: ${usable.join(', ') || 'no algorithm of ours'}`);
    expect(warnings.some((text) => text.includes('cannot use it'))).toBe(usable.length === 0);
  }
}

async function signWith(token: TokenUnderTest) {
  using held = token;
  const { module, parameters, environment } = held.settings;
  const seen = await probe({ module, parameters, environment, login: held.settings }, around);
  const { algorithms } = seen.tokens.find(({ algorithms: some }) => some.length > 0) ?? { algorithms: [] };
  const rates = (seen.signing ?? []).map(({ algorithm, perSecond }) => `${algorithm} ${perSecond}/s`);
  return { library: seen.library, algorithms, rates: rates.join(', ') };
}

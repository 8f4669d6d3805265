import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { missingForTokens, SOFTHSM_PIN, SoftHsm } from '../support/softhsm.ts';
import { jsonOf, mintmark, type Transcript } from './run-cli.ts';

const missing = missingForTokens();
const probe = (flags: readonly string[]): Promise<Transcript> => mintmark(['hsm', 'probe', ...flags]);

describe('hsm probe', () => {
  it('says what it cannot load, and why', async () => {
    const none = await probe([]);
    expect([none.code, none.stderr]).toEqual([EXIT.usage, expect.stringContaining('--module')]);
    const absent = await probe(['--module', '/nowhere/module.so']);
    expect([absent.code, absent.stderr]).toEqual([EXIT.refused, expect.stringContaining('is not there')]);
    const pin = await probe(['--module', '/nowhere/module.so', '--pin-source', 'pin']);
    expect([pin.code, pin.stderr]).toEqual([EXIT.usage, expect.stringContaining('--token')]);
  });
});

describe.skipIf(missing !== null)(
  `hsm probe with SoftHSM${missing === null ? '' : `: NOT TRIED, ${missing}`}`,
  () => {
    let hsm: SoftHsm;
    const flags = (): string[] => [
      ...['--module', hsm.settings.module, '--token', 'mintmark'],
      ...['--set', `pkcs11.environment=SOFTHSM2_CONF=${hsm.environment['SOFTHSM2_CONF'] ?? ''}`],
    ];

    beforeAll(() => {
      hsm = new SoftHsm();
    });
    afterAll(() => hsm[Symbol.dispose]());

    it('shows tokens and what each would be used for, without a PIN', async () => {
      const shown = await probe(flags());
      expect(shown.code, shown.stderr).toBe(EXIT.ok);
      expect(shown.stdout).toContain(`pkcs11:token=mintmark;serial=${hsm.serials()[0] ?? ''}`);
      expect(shown.stdout).toMatch(/would be used for: signing keys, ed25519 \(also ecdsa-p256\)/);
      expect(shown.stdout).toContain('Not logged in');
    });

    it('measures with a PIN, and leaves nothing in the token', async () => {
      const measured = await probe([...flags(), '--pin-source', hsm.pinFile, '--json']);
      expect(measured.code, measured.stderr).toBe(EXIT.ok);
      const signing = jsonOf(measured)['signing'] as { algorithm: string; perSecond: number }[];
      expect(signing.map(({ algorithm }) => algorithm)).toEqual(['ed25519', 'ecdsa-p256']);
      for (const { perSecond } of signing) expect(perSecond).toBeGreaterThan(10);
      expect(hsm.pkcs11Tool(['--list-objects'])).not.toContain('mintmark/probe');
      expect(measured.stdout + measured.stderr).not.toContain(SOFTHSM_PIN);
    });

    it('warns of tokens of one label, and of a PIN that was wrong', async () => {
      hsm.addToken('mintmark');
      writeFileSync(join(hsm.root, 'wrong'), '0000', { mode: 0o600 });
      const one = [
        '--token',
        `pkcs11:serial=${hsm.serials()[0] ?? ''}`,
        '--pin-source',
        join(hsm.root, 'wrong'),
      ];
      const refused = await probe([...flags(), ...one]);
      expect([refused.code, refused.stderr]).toEqual([
        EXIT.refused,
        expect.stringContaining('CKR_PIN_INCORRECT'),
      ]);
      const shown = await probe(flags());
      expect(shown.stdout).toContain('1 more tokens have this label');
      expect(shown.stdout).toContain('the last PIN that it was given was wrong');
    });
  },
);

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeyHandle } from '../../../src/custody/custodian.ts';
import type { Pkcs11Custodian } from '../../../src/custody/pkcs11/pkcs11-custodian.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { hasCompiler, Pkcs11Shim } from '../../support/pkcs11-shim.ts';
import { missingForTokens, SOFTHSM_PIN } from '../../support/softhsm.ts';
import { newTokenStore } from './tokens.ts';

const missing = missingForTokens() ?? (hasCompiler() ? null : 'there is no C compiler');
const MESSAGE = Buffer.from('license/AAAA.BBBB.CCCC');
const LICENSE = { purpose: 'license', algorithm: 'ed25519' } as const;
const AWAY = { code: 'SIGNER_UNAVAILABLE', retryAfterMs: 5000 };

/** A clock that only the test moves: nobody waits for the patience of a signer. */
class MovableClock implements Clock {
  #at = 0;
  wall(): number {
    return 1_700_000_000_000 + this.#at;
  }
  monotonic(): number {
    return this.#at;
  }
  pass(ms: number): void {
    this.#at += ms;
  }
}

describe.skipIf(missing !== null)(
  `a token that is broken${missing === null ? '' : `: NOT TRIED, ${missing}`}`,
  () => {
    let shim: Pkcs11Shim;
    beforeAll(() => {
      shim = new Pkcs11Shim();
    });
    beforeEach(() => {
      shim.order('');
      shim.forgetLogins();
    });
    afterAll(() => shim[Symbol.dispose]());

    async function signing() {
      const store = newTokenStore();
      const clock = new MovableClock();
      const custodian = await store.open({ settings: shim.inFrontOf(store.hsm), clock });
      const key = await custodian.generate(LICENSE);
      return { ...store, clock, custodian, key };
    }

    describe('an agent that ends', () => {
      it('releases no wrong signature, however often it is killed, and goes on', async () => {
        const { custodian, key, clock } = await signing();
        const pids = new Set<number>();
        const killer = setInterval(() => {
          const pid = custodian.agentPid;
          if (pid === undefined || pids.has(pid)) return;
          pids.add(pid);
          process.kill(pid, 'SIGKILL');
        }, 150);
        try {
          while (pids.size < 5) {
            // Two kills in a row open the circuit; its patience is not what is tested.
            clock.pass(60_000);
            const signatures = await Promise.all(Array.from({ length: 20 }, () => signOr503(custodian, key)));
            // Ed25519 is deterministic: what is not refused is right, and verified before it came out.
            expect(new Set(signatures.filter((one) => one !== null)).size).toBeLessThanOrEqual(1);
          }
        } finally {
          clearInterval(killer);
        }
        await recovered(custodian, clock);
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
      });

      it('is replaced within one signature when it is gone, unnoticed by who asked', async () => {
        const { custodian, key } = await signing();
        const before = custodian.agentPid;
        process.kill(before ?? 0, 'SIGKILL');
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
        expect(custodian.agentPid).not.toBe(before);
        expect(custodian.health().state).toBe('ready');
      });

      it('refuses what it was asked when the module ends it each time, and works again when that is over', async () => {
        const { custodian, key, clock } = await signing();
        shim.order('crash');
        await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject(AWAY);
        expect(custodian.health()).toMatchObject({ state: 'unavailable', since: clock.wall() });
        shim.order('');
        await recovered(custodian, clock);
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
      });
    });

    describe('a module that hangs', () => {
      it('is killed at the deadline, twice, while the event loop goes on', async () => {
        const { custodian, key, clock } = await signing();
        const before = custodian.agentPid;
        shim.order('hang');
        let turns = 0;
        const counter = setInterval(() => turns++, 10);
        const started = performance.now();
        await expect(custodian.sign(key, MESSAGE, { deadlineMs: 200 })).rejects.toMatchObject(AWAY);
        clearInterval(counter);
        expect(performance.now() - started).toBeGreaterThan(400);
        expect(turns).toBeGreaterThan(10);
        expect(isRunning(before)).toBe(false);
        expect(custodian.health().detail).toMatch(/did not answer sign within 200 ms/);
        // The circuit is open: nobody else waits for it.
        const next = performance.now();
        await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject(AWAY);
        expect(performance.now() - next).toBeLessThan(200);
        shim.order('');
        await recovered(custodian, clock);
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
      });

      it('keeps those who wait no longer than the line allows', async () => {
        const { custodian, key } = await signing();
        shim.order('slow 20');
        const outcomes = await Promise.all(
          Array.from({ length: 300 }, () =>
            custodian.sign(key, MESSAGE).then(
              () => 'signed',
              (error: unknown) => (error as { code: string }).code, // asserted below
            ),
          ),
        );
        expect(new Set(outcomes)).toEqual(new Set(['signed', 'SIGNER_BUSY']));
        expect(outcomes.filter((one) => one === 'SIGNER_BUSY').length).toBeGreaterThanOrEqual(300 - 257);
      });
    });

    it('is heard in few short lines, however much it writes', async () => {
      const heard: string[] = [];
      const { hsm, open } = newTokenStore();
      const settings = shim.inFrontOf(hsm);
      const custodian = await open({ settings, heard: (line) => heard.push(line) });
      const key = await custodian.generate(LICENSE);
      shim.order('noise');
      for (let signatures = 0; signatures < 3; signatures++) await custodian.sign(key, MESSAGE);
      expect(heard).toHaveLength(20);
      for (const line of heard) {
        expect(line).toMatch(/^ \[2J line [0-9]+ 0+/);
        expect(line).toHaveLength(300);
      }
    });

    it('never releases a wrong signature', async () => {
      const { custodian, key, clock } = await signing();
      const other = await custodian.generate({ ...LICENSE, algorithm: 'ecdsa-p256' });
      shim.order('wrong');
      for (const one of [key, other]) await expect(custodian.sign(one, MESSAGE)).rejects.toMatchObject(AWAY);
      expect(custodian.health()).toMatchObject({ state: 'degraded', detail: /wrong, and was not used/ });
      await expect(custodian.generate(LICENSE)).rejects.toMatchObject({ code: 'KEY_STORAGE' });
      shim.order('');
      clock.pass(10_000);
      for (const one of [key, other]) expect(await custodian.sign(one, MESSAGE)).toHaveLength(64);
    });

    describe('an error of each class', () => {
      it.each([
        { of: 'caller', result: 0x21, code: 'SIGNER_REFUSED', state: 'ready', sameAgent: true },
        { of: 'policy', result: 0x68, code: 'SIGNER_REFUSED', state: 'degraded', sameAgent: true },
        { of: 'session', result: 0xb3, code: 'SIGNER_UNAVAILABLE', state: 'unavailable', sameAgent: true },
        { of: 'context', result: 0x82, code: 'SIGNER_UNAVAILABLE', state: 'unavailable', sameAgent: false },
        { of: 'backend', result: 0x05, code: 'SIGNER_UNAVAILABLE', state: 'unavailable', sameAgent: false },
        {
          of: 'unknown',
          result: 0x80000001,
          code: 'SIGNER_UNAVAILABLE',
          state: 'unavailable',
          sameAgent: false,
        },
      ])('$of: is $code, and leaves the signer $state', async ({ result, code, state, sameAgent }) => {
        const { custodian, key, clock } = await signing();
        const before = custodian.agentPid;
        shim.order(`fail ${result}`);
        await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject({ code });
        expect(custodian.health().state).toBe(state);
        expect(custodian.agentPid === before).toBe(sameAgent);
        shim.order('');
        await recovered(custodian, clock);
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
      });

      it.each([0xb3, 0x82, 0x05])('%i, once, is not noticed by who asked', async (result) => {
        const { custodian, key } = await signing();
        shim.order(`once ${result}`);
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
        expect(custodian.health().state).toBe('ready');
      });
    });

    describe('a token that goes away', () => {
      it('is refused in a moment, and signs again when it is back, with the handles given before', async () => {
        const { hsm, custodian, key, clock } = await signing();
        hsm.unplug();
        await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject(AWAY);
        expect(custodian.health()).toMatchObject({ state: 'unavailable', detail: 'there is no such token' });
        clock.pass(60_000);
        await custodian.check();
        expect(custodian.health().state).toBe('unavailable');
        hsm.plugIn();
        await recovered(custodian, clock);
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
      });

      it('is noticed by the check, though it says of itself that all is well', async () => {
        const { hsm, custodian, clock } = await signing();
        await custodian.check();
        hsm.unplug();
        clock.pass(31_000);
        await custodian.check();
        expect(custodian.health().state).toBe('unavailable');
      });

      it('is not taken for one that lost a key: what it cannot find, a new agent looks for', async () => {
        const { hsm, custodian, key, clock } = await signing();
        const other = await custodian.generate(LICENSE);
        process.kill(custodian.agentPid ?? 0, 'SIGKILL');
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
        hsm.unplug();
        // The new agent has never looked for this one; SoftHSM says "no such object", not "no such token".
        await expect(custodian.sign(other, MESSAGE)).rejects.toMatchObject(AWAY);
        expect(custodian.health()).toMatchObject({ state: 'unavailable', detail: 'there is no such token' });
        hsm.plugIn();
        await recovered(custodian, clock);
      });

      it('is looked for with growing patience', async () => {
        const { custodian, key, clock } = await signing();
        shim.order('login 5');
        process.kill(custodian.agentPid ?? 0, 'SIGKILL');
        const waits: number[] = [];
        for (let tries = 1; tries <= 9; tries++) {
          const since = clock.monotonic();
          while (shim.refusedLogins() < tries) {
            clock.pass(250);
            await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject(AWAY);
          }
          waits.push(clock.monotonic() - since);
        }
        expect(waits).toEqual([250, 2000, 3000, 4500, 6750, 10_250, 15_250, 23_000, 30_000]);
      });
    });

    describe('a key', () => {
      it('that was deleted behind our back is missed alone', async () => {
        const { hsm, custodian, key, clock } = await signing();
        const other = await custodian.generate(LICENSE);
        const id = /id=([%0-9A-F]+)/.exec(key.reference)?.[1]?.replaceAll('%', '') ?? '';
        hsm.pkcs11Tool(['--delete-object', '--type', 'privkey', '--id', id]);
        clock.pass(31_000);
        await custodian.check();
        expect(custodian.health()).toMatchObject({ state: 'degraded' });
        expect(custodian.health().detail).toContain(key.kid);
        await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject(AWAY);
        const before = custodian.agentPid;
        expect(await custodian.sign(other, MESSAGE)).toHaveLength(64);
        // Asking for it again and again costs the others nothing.
        await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject(AWAY);
        expect(custodian.agentPid).toBe(before);
      });
    });

    describe('two tokens of one label', () => {
      it('are refused by their label, and told apart by their serial', async () => {
        const { hsm, custodian, open } = newTokenStore();
        hsm.addToken('mintmark');
        await expect(custodian().start()).rejects.toThrow(
          /2 tokens fit; name the one you mean by its serial/,
        );
        const serials = hsm.serials();
        expect(serials).toHaveLength(2);
        const chosen = await open({
          settings: { token: `pkcs11:token=mintmark;serial=${serials[1] ?? ''}` },
        });
        expect((await chosen.start()).serial).toBe(serials[1]);
      });
    });

    describe('a PIN', () => {
      it('that is wrong is tried once, across restarts, until its file holds another', async () => {
        const { hsm, directory, custodian } = newTokenStore();
        const settings = shim.inFrontOf(hsm);
        const clock = new MovableClock();
        for (const result of ['login 160', 'login 164']) {
          shim.order(result);
          shim.forgetLogins();
          hsm.writePin(`9999${result.slice(-3)}`);
          for (let restart = 0; restart < 3; restart++) {
            const one = custodian({ settings, clock });
            await expect(one.start()).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' });
            clock.pass(60_000);
            await one.check();
            expect(one.health().detail).toMatch(/CKR_PIN_(INCORRECT|LOCKED)\) and is not tried again/);
          }
          expect(shim.refusedLogins()).toBe(1);
        }
        expect(readFileSync(join(directory, 'pin-tried'), 'utf8')).not.toContain('9999');
        shim.order('');
        hsm.writePin(SOFTHSM_PIN);
        await expect(custodian({ settings }).start()).resolves.toMatchObject({ label: 'mintmark' });
        expect(existsSync(join(directory, 'pin-tried'))).toBe(false);
      });

      it('that is put right is taken by the daemon that runs', async () => {
        const { hsm, custodian } = newTokenStore();
        const clock = new MovableClock();
        const one = custodian({ clock });
        hsm.writePin('00000000');
        await expect(one.start()).rejects.toThrow('CKR_PIN_INCORRECT');
        hsm.writePin(SOFTHSM_PIN);
        await recovered(one, clock);
        expect(await one.generate(LICENSE)).toMatchObject({ purpose: 'license' });
      });

      it('that is changed, in the token and its file, is taken at the next login', async () => {
        const { hsm, custodian, key } = await signing();
        hsm.pkcs11Tool(['--change-pin', '--new-pin', '87654321']);
        hsm.writePin('87654321');
        process.kill(custodian.agentPid ?? 0, 'SIGKILL');
        expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
      });
    });

    it('has no agent once it is locked, and a new one when it is needed again', async () => {
      const { custodian, key } = await signing();
      const before = custodian.agentPid;
      custodian.lock();
      while (isRunning(before)) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(custodian.agentPid).toBeUndefined();
      expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
    });
  },
);

/** Lets the patience pass and the custodian look. */
async function recovered(custodian: Pkcs11Custodian, clock: MovableClock): Promise<void> {
  clock.pass(60_000);
  await custodian.check();
  expect(custodian.health().state).toBe('ready');
}

async function signOr503(custodian: Pkcs11Custodian, key: KeyHandle): Promise<string | null> {
  try {
    return (await custodian.sign(key, MESSAGE)).toString('hex');
  } catch (error) {
    expect(error).toMatchObject({ code: 'SIGNER_UNAVAILABLE' });
    return null;
  }
}

function isRunning(pid: number | undefined): boolean {
  try {
    process.kill(pid ?? 0, 0);
    return true;
  } catch {
    return false;
  }
}

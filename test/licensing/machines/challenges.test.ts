import { describe, expect, it } from 'vitest';
import { MINUTE } from '../../../src/lib/clock.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { Challenges } from '../../../src/licensing/machines/challenges.ts';
import type { RealmId } from '../../../src/storage/realm-scope.ts';

const [REALM, OTHER] = [1 as RealmId, 2 as RealmId]; // numbers of realms, as storage gives them
const MACHINE = 'mach_01J9ZC0000000000000000000A';

function open(usedMax?: number) {
  const clock = { at: 5000.25, monotonic: () => clock.at };
  const challenges = new Challenges({ clock, random: systemRandom }, usedMax);
  const nonce = (realm = REALM, machine = MACHINE): string => challenges.issue(realm, machine).nonce;
  const use = (text: string): boolean => challenges.use(REALM, MACHINE, text);
  return { clock, challenges, nonce, use };
}

describe('the nonce of a machine', () => {
  it('is good once', () => {
    const { nonce, use } = open();
    const mine = nonce();
    expect(mine).toMatch(/^[A-Za-z0-9_-]{48}$/);
    expect([use(mine), use(mine)]).toEqual([true, false]);
  });

  it('stays good however many others are asked for, for its machine or for any', () => {
    const { nonce, use } = open();
    const mine = nonce();
    for (let i = 0; i < 20_000; i++) nonce();
    for (let i = 0; i < 20_000; i++) nonce(REALM, `${MACHINE}${String(i)}`);
    expect(use(mine)).toBe(true);
  });

  it('is good for its machine and realm alone, and as it was given', () => {
    const { nonce, use } = open();
    const mine = nonce();
    const end = mine.at(-1) === 'A' ? 'B' : 'A';
    const forged = [
      nonce(OTHER),
      nonce(REALM, 'mach_01J9ZC0000000000000000000B'),
      open().nonce(),
      mine.slice(0, -1) + end,
      `A${mine.slice(1)}`,
      `${mine}=`,
      `${mine} `,
      mine.slice(0, -4),
      '',
    ];
    expect(forged.filter((text) => text !== mine && use(text))).toEqual([]);
    expect(use(mine)).toBe(true);
  });

  it('is over after two minutes, and not before', () => {
    const { clock, nonce, use } = open();
    const [early, late] = [nonce(), nonce()];
    clock.at += 2 * MINUTE - 1;
    expect(use(early)).toBe(true);
    clock.at += 2;
    expect(use(late)).toBe(false);
  });

  it('is not good in a process that starts anew', () => {
    const mine = open().nonce();
    expect(open().use(mine)).toBe(false);
  });

  it('is never good twice, and a fresh one is good, when more are used than can be remembered', () => {
    const { clock, nonce, use } = open(3);
    const used = Array.from({ length: 10 }, () => {
      clock.at += 1000;
      const one = nonce();
      expect(use(one)).toBe(true);
      return one;
    });
    expect(used.filter(use)).toEqual([]);
    expect(use(nonce())).toBe(true);
  });

  it('does not tell how long the process has run', () => {
    const times = [1, 2].map(() => Buffer.from(open().nonce(), 'base64url').readUIntBE(0, 6));
    expect(new Set(times).size).toBe(2);
  });
});

import { describe, expect, it } from 'vitest';
import { makeShares, parseShare, sharesSecret } from '../../../src/custody/slots/shares.ts';
import { Kek } from '../../../src/custody/kek.ts';
import { formatGroups, parseGroups } from '../../../src/custody/slots/recovery-code.ts';
import { makeSlotFile, openSlotFile, rewrapSlotFile } from '../../../src/custody/slots/slot-file.ts';
import { addSlot } from '../../../src/custody/slots/slots.ts';
import { ShareSet } from '../../../src/daemon/share-set.ts';
import { Fault } from '../../../src/faults.ts';
import { Secret } from '../../../src/lib/secret.ts';
import { faultCode, flipBit, random, temporaryDirectory } from '../custody-fixtures.ts';

const NOW = 1_700_000_000_000;
const kek = Kek.generate(random);

async function slotOf(shares: readonly Secret[], name = 'board'): Promise<Buffer> {
  return makeSlotFile({ name, secret: sharesSecret(shares), kek, now: NOW }, random);
}

/** What opening comes to, in words; `open` when it opens the right key. */
async function opened(
  bytes: Buffer,
  shares: readonly (Secret | undefined)[],
  name = 'board',
): Promise<string> {
  try {
    const found = await openSlotFile(
      name,
      bytes,
      sharesSecret(shares.filter((share) => share !== undefined)),
    );
    return kek.unwrap('test', found.wrap('test', Buffer.alloc(32, 7))).equals(Buffer.alloc(32, 7))
      ? 'open'
      : 'other';
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

/** The text with one character of a group replaced by another one. */
function mistyped(share: Secret, group: number): Secret {
  const groups = share.expose().split('-');
  const text = groups[group] ?? '';
  groups[group] = (text.startsWith('0') ? '1' : '0') + text.slice(1);
  return new Secret(groups.join('-'));
}

describe('shares', () => {
  it('open their slot in every choice of as many as are needed, and in none of fewer', async () => {
    const shares = await makeShares(random, { threshold: 2, count: 3 });
    const [a, b, c] = shares;
    const slot = await slotOf(shares);
    expect(await opened(slot, [a, b])).toBe('open');
    expect(await opened(slot, [c, a])).toBe('open');
    expect(await opened(slot, [b, c])).toBe('open');
    expect(await opened(slot, [a, b, c])).toBe('open');
    expect(await opened(slot, [b])).toBe('1 of 2 shares are given');
    expect(await opened(slot, [b, b])).toBe('1 of 2 shares are given');
  });

  it('are named when one is wrong: by its group, by its order, or by its number', async () => {
    const shares = await makeShares(random, { threshold: 2, count: 3 });
    const others = await makeShares(random, { threshold: 2, count: 3 });
    const slot = await slotOf(shares);
    const [a, b] = shares;
    expect(await opened(slot, [a, b === undefined ? b : mistyped(b, 4)])).toBe(
      'group 5 of the share has a typing mistake in it',
    );
    expect(await opened(slot, [a, others[1]])).toBe('share 2 is not one of this slot');
    expect(await opened(slot, [new Secret('00000-00000')])).toBe('a share has 80 characters, not 10');
  });

  it('show how many of them are needed, and are typed as a recovery code is', async () => {
    const [first] = await makeShares(random, { threshold: 3, count: 5 });
    const text = first?.expose() ?? '';
    expect(text).toMatch(/^(?:[0-9A-Z]{5}-){15}[0-9A-Z]{5}$/);
    const typed = new Secret(` ${text.toLowerCase().replaceAll('-', ' ')} `);
    expect(parseShare(typed)).toMatchObject({ index: 1, threshold: 3 });
  });

  it.each([
    [1, 3],
    [4, 3],
    [2, 17],
    [2.5, 4],
  ])('are not made when %i of %i are to open', async (threshold, count) => {
    await expect(makeShares(random, { threshold, count })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('are refused when they do not fit their check, though each of their groups does', async () => {
    const [share] = await makeShares(random, { threshold: 2, count: 2 });
    const bytes = parseGroups(share ?? new Secret(''), { bytes: 40, what: 'share' });
    for (const at of [3, 34, 39]) {
      const changed = new Secret(formatGroups(flipBit(bytes, at * 8)));
      expect(() => parseShare(changed)).toThrow('what was typed is not a share');
    }
  });

  it('make a slot only when they are all there', async () => {
    const shares = await makeShares(random, { threshold: 2, count: 3 });
    await expect(slotOf(shares.slice(1))).rejects.toThrow('made with all its shares');
  });

  it('open the same slot with another key in it', async () => {
    const shares = await makeShares(random, { threshold: 2, count: 3 });
    const slot = await slotOf(shares);
    const next = Kek.generate(random);
    const secret = sharesSecret(shares.slice(1));
    const found = await openSlotFile(
      'board',
      await rewrapSlotFile({ name: 'board', bytes: slot, secret }, next),
      secret,
    );
    const wrapped = next.wrap('test', Buffer.alloc(32, 9));
    expect(found.unwrap('test', wrapped)).toEqual(Buffer.alloc(32, 9));
  });

  it('are told from others by a slot file of which no byte can be changed', async () => {
    const shares = await makeShares(random, { threshold: 2, count: 2 });
    const slot = await slotOf(shares);
    for (let bit = 0; bit < slot.length * 8; bit += 13) {
      expect(await opened(flipBit(slot, bit), shares)).toContain('slot board is damaged');
    }
  });
});

describe('a set of shares that are given one after the other', () => {
  async function begun() {
    const directory = temporaryDirectory();
    const shares = await makeShares(random, { threshold: 3, count: 4 });
    await addSlot(directory, { name: 'board', secret: sharesSecret(shares), kek, now: NOW }, random);
    let now = 1000;
    const set = new ShareSet(directory, { wall: () => NOW, monotonic: () => now });
    const texts = shares.map((share) => share.expose());
    return { set, texts, later: (ms: number) => (now += ms) };
  }

  it('is whole with as many as are needed, whoever brings them and however often', async () => {
    const { set, texts } = await begun();
    const [a = '', b = '', c = ''] = texts;
    expect(set.progress).toBeUndefined();
    expect([set.add([a]), set.progress]).toEqual([undefined, { given: 1, needed: 3 }]);
    expect([set.add([a, c]), set.progress]).toEqual([undefined, { given: 2, needed: 3 }]);
    expect(set.add([b])).toEqual([a, c, b]);
    expect(set.progress).toBeUndefined();
  });

  it('names a wrong share, which costs none of the others', async () => {
    const { set, texts } = await begun();
    const [a = '', b = ''] = texts;
    const [foreign] = await makeShares(random, { threshold: 3, count: 4 });
    set.add([a, b]);
    expect(() => set.add([foreign?.expose() ?? ''])).toThrow('share 1 is not one of this appliance');
    expect(faultCode(() => set.add(['not a share']))).toBe('SLOT_SECRET_WRONG');
    expect(set.progress).toEqual({ given: 2, needed: 3 });
  });

  it('is dropped ten minutes after its first share', async () => {
    const { set, texts, later } = await begun();
    const [a = '', b = ''] = texts;
    set.add([a]);
    later(599_000);
    set.add([b]);
    expect(set.progress).toEqual({ given: 2, needed: 3 });
    later(1000);
    expect(set.progress).toBeUndefined();
  });
});

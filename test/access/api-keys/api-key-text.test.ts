import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newApiKeyText, parseApiKey } from '../../../src/access/api-keys/api-key-text.ts';
import { systemRandom } from '../../../src/lib/random.ts';

const FORM = /^(sk|pk)_(live|test)_mm[0-9A-Za-z]{60}$/;
const zeros = { bytes: (length: number) => Buffer.alloc(length) };

describe('the text of an API key', () => {
  it('has kind, environment, 22 characters of id, 32 of secret and 6 of checksum', () => {
    for (const kind of ['sk', 'pk'] as const) {
      for (const environment of ['live', 'test'] as const) {
        const made = newApiKeyText({ kind, environment }, systemRandom);
        expect(made.text.expose()).toMatch(FORM);
        const parsed = parseApiKey(made.text.expose());
        expect(parsed).toMatchObject({ kind, environment, publicId: made.publicId });
        expect(parsed?.secret.expose()).toBe(made.secret.expose());
        expect(made.text.expose().endsWith(made.lastFour)).toBe(true);
      }
    }
  });

  it('is byte for byte as documented', () => {
    // The checksum was computed by another implementation: CRC-32 as in zip, base 62 with digits 0-9 A-Z a-z.
    const made = newApiKeyText({ kind: 'sk', environment: 'live' }, zeros);
    // Put together here: a key written out would be found by every secret scanner, ours included.
    expect(made.text.expose()).toBe(`sk_live_mm${'0'.repeat(54)}1cyNlG`);
  });

  it('draws again what would make some characters likelier than others', () => {
    // 248 = 4 · 62 is the first byte that is not fair; 247 is the last that is, and stands for the last character.
    const drawn = [248, 255, 247, 249];
    let next = 0;
    const bytes = (length: number) => Buffer.from(Array.from({ length }, () => drawn[next++ % 4] ?? 0));
    const some = { bytes };
    const made = newApiKeyText({ kind: 'sk', environment: 'live' }, some);
    expect(made.publicId).toBe('z'.repeat(22));
    expect(made.secret.expose()).toBe('z'.repeat(32));
  });

  it('keeps its id when it is made anew for a rotation', () => {
    const first = newApiKeyText({ kind: 'sk', environment: 'live' }, systemRandom);
    const { publicId } = first;
    const second = newApiKeyText({ kind: 'sk', environment: 'live', publicId }, systemRandom);
    expect(second.publicId).toBe(publicId);
    expect(second.secret.expose()).not.toBe(first.secret.expose());
  });

  it('is refused when one character was mistyped, anywhere', () => {
    const text = newApiKeyText({ kind: 'sk', environment: 'live' }, systemRandom).text.expose();
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom('0', '1', '9', 'A', 'B', 'x', 'z', '_', '-', '.', ' '),
        (at, character) => {
          const typed = text.slice(0, at) + character + text.slice(at + 1);
          expect(parseApiKey(typed) === undefined).toBe(typed !== text);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is refused when it is anything else', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(parseApiKey(text)).toBeUndefined();
      }),
    );
    const text = newApiKeyText({ kind: 'sk', environment: 'live' }, systemRandom).text.expose();
    for (const near of [`${text} `, ` ${text}`, text.slice(0, -1), `${text}0`, text.replace('_mm', '_xx')]) {
      expect(parseApiKey(near)).toBeUndefined();
    }
  });

  it('never shows its secret by accident', () => {
    const made = newApiKeyText({ kind: 'sk', environment: 'live' }, systemRandom);
    expect(JSON.stringify(made)).not.toContain(made.secret.expose());
    expect(String(made.text)).toBe('[secret]');
  });
});

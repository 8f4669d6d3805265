import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/faults.ts';
import { formatCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { EMPTY_TREE, appendLeaf, leafHash, treeRoot } from '../../src/ledger/merkle.ts';
import {
  formatVerifierKey,
  isSignedBy,
  parseNote,
  parseVerifierKey,
  signNote,
  verifierKey,
} from '../../src/ledger/note.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';
import { ORIGIN, testSigner } from './ledger-fixtures.ts';

const a = testSigner('a');
const b = testSigner('b');

describe('a verifier key', () => {
  it('has the id and form of the example of the Go note package', () => {
    const line = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
    const key = parseVerifierKey(line);
    expect(key).toMatchObject({ name: 'PeterNeumann', id: 'c74f20a3' });
    expect(formatVerifierKey(key)).toBe(line);
  });

  it.each([
    ['of another id', 'PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
    ['of another type', 'PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
    ['without a key', 'PeterNeumann+c74f20a3+AQ=='],
    ['with loose base64', 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW='],
    ['with a space', 'Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
  ])('%s is refused', (_, line) => {
    expect(() => parseVerifierKey(line)).toThrow(expect.objectContaining({ code: 'LEDGER_INVALID' }));
  });

  it('is never made under a name that would end early', () => {
    expect(() => verifierKey('a b', a.key.publicKey)).toThrow(InvariantViolation);
    expect(() => verifierKey('a+b', a.key.publicKey)).toThrow(InvariantViolation);
  });
});

describe('a signed note', () => {
  it('of the Go note package verifies', () => {
    const note =
      'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n\n' +
      '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
    const key = parseVerifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    expect(isSignedBy(parseNote(note.replaceAll('’', "'")), key)).toBe(true);
  });

  it('carries one line per signer, in their order, each over the text alone', async () => {
    const note = parseNote(await signNote('one\ntwo\n', [a, b]));
    expect(note.text).toBe('one\ntwo\n');
    expect(note.signatures.map(({ id }) => id)).toEqual([a.key.id, b.key.id]);
    expect(isSignedBy(note, a.key) && isSignedBy(note, b.key)).toBe(true);
    expect(isSignedBy(note, testSigner('c').key)).toBe(false);
  });

  it('is not signed when one bit of it differs', async () => {
    const bytes = Buffer.from(await signNote('one\n', [a]));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(holds(changed.toString('latin1'))).toBe(false);
    }
  });

  it('is not signed when one of two signatures of a key is wrong', async () => {
    const good = await signNote('one\n', [a]);
    const other = await signNote('two\n', [a]);
    expect(isSignedBy(parseNote(`${good}${other.split('\n\n')[1] ?? ''}`), a.key)).toBe(false);
  });

  it('is not released when its signature does not verify', async () => {
    await expect(signNote('one\n', [{ ...a, sign: b.sign }])).rejects.toThrow(InvariantViolation);
  });

  it.each([
    ['without signatures', 'one\n\n'],
    ['without an empty line', 'one\n'],
    ['without a last line feed', 'one\n\n— a AAAAAAAA'],
    ['with an empty text', '\n\n— a AAAAAAAA\n'],
    ['with a short signature', 'one\n\n— a AAAA\n'],
    ['with more than sixteen signatures', `one\n\n${'— a AAAAAAAA\n'.repeat(17)}`],
  ])('%s is refused', (_, note) => {
    expect(() => parseNote(note)).toThrow(expect.objectContaining({ code: 'LEDGER_INVALID' }));
  });
});

describe('a checkpoint', () => {
  const head = appendLeaf(EMPTY_TREE, leafHash(Buffer.from('x')));

  it('is three lines of the C2SP form and reads back', async () => {
    const text = await signCheckpoint(ORIGIN, head, [a]);
    expect(text.startsWith(`${ORIGIN}\n1\n${treeRoot(head).toString('base64')}\n\n— ${ORIGIN} `)).toBe(true);
    const read = parseCheckpoint(text);
    expect(read).toMatchObject({ origin: ORIGIN, size: 1, root: treeRoot(head) });
    expect(isSignedBy(read.note, a.key)).toBe(true);
  });

  it.each([
    ['a size with a leading zero', (text: string) => text.replace('\n1\n', '\n01\n')],
    ['a size that is not exact in a double', (text: string) => text.replace('\n1\n', '\n9007199254740993\n')],
    ['a negative size', (text: string) => text.replace('\n1\n', '\n-1\n')],
    ['a short root', (text: string) => text.replace(/\n[^\n]{44}\n\n/, '\nAAAA\n\n')],
    ['an extension line', (text: string) => text.replace('\n\n', '\nmore\n\n')],
  ])('with %s is refused', async (_, change) => {
    const text = change(await signCheckpoint(ORIGIN, head, [a]));
    expect(() => parseCheckpoint(text)).toThrow(expect.objectContaining({ code: 'LEDGER_INVALID' }));
  });

  it('has no line for a time or anything else that is not signed history', () => {
    expect(formatCheckpoint({ origin: ORIGIN, size: 1, root: treeRoot(head) }).split('\n')).toHaveLength(4);
  });
});

/** Whether a note, however damaged, is still taken as signed. */
function holds(note: string): boolean {
  try {
    return isSignedBy(parseNote(Buffer.from(note, 'latin1').toString('utf8')), a.key);
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

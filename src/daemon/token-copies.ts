import { demandSentence, NO_COPY, type SigningKey, signingKeyColumns } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { append } from '../ledger/index.ts';
import type { Authority } from '../storage/entry.ts';
import type { Tx } from '../storage/tx.ts';
import type { Parts } from './parts.ts';

type TokenParts = Pick<Parts, 'keyring' | 'work' | 'checkpointer'>;

/** What was found of the copy of one key. */
export interface CopySeen {
  readonly kid: string;
  readonly purpose: string;
  /** PKCS#11 URI of the token whose copy has signed; null: none has. */
  readonly copy: string | null;
  /** Why none has. */
  readonly problem: string | null;
}

interface Found extends CopySeen {
  readonly key: SigningKey;
  /** The reference that the key has on the second token. */
  readonly reference: string | null;
}

/**
 * Has the copy of every key that is in a token sign on the second token, and keeps what came of it.
 * @param acceptNone the sentence of consequences: keys without a copy may sign from now on
 * @throws Fault VALIDATION_FAILED; CONFLICT when a key was changed meanwhile
 */
export async function checkCopies(
  { keyring, work }: TokenParts,
  authority: Authority,
  acceptNone: string | null,
): Promise<CopySeen[]> {
  if (acceptNone !== null) demandSentence(acceptNone);
  const seen = await lookForCopies({ keyring });
  const changed = seen.flatMap(({ key, copy }) => {
    // One that was seen and is not there any more is no copy.
    const next = copy ?? (acceptNone !== null || key.copy !== null ? NO_COPY : null);
    return next === key.copy ? [] : [{ ...key, copy: next, version: key.version + 1 }];
  });
  if (changed.length > 0) {
    await work.run(authority, (tx) => {
      keyring.change(tx, changed);
      for (const key of changed) recordKey(tx, key, { action: 'signing_key.copy_checked' });
    });
  }
  return seen.map(shown);
}

/**
 * Takes the second token for the first one's place: the HSM is dead, and its keys are wanted from their copies.
 * 1. Each copy signs, verified with the stored public key. Stop here: nothing has changed. 2. One unit writes where each key is
 * now. From the commit on they sign there, without a restart. 3. A checkpoint makes that what anchors know.
 * A key whose copy did not sign stays where it was.
 * @throws Fault KEY_NOT_COPIED when no copy signed at all; CONFLICT when a key was changed meanwhile
 */
export async function replaceToken(parts: TokenParts, authority: Authority): Promise<CopySeen[]> {
  const { keyring, work, checkpointer } = parts;
  const seen = await lookForCopies({ keyring });
  const moved = seen.flatMap(({ key, reference }) =>
    reference === null || reference === key.reference
      ? []
      : [{ from: key.reference, key: { ...key, reference, copy: NO_COPY, version: key.version + 1 } }],
  );
  if (moved.length === 0) throw nothingToMove(seen);
  await work.run(authority, (tx) => {
    keyring.change(
      tx,
      moved.map(({ key }) => key),
    );
    for (const { key, from } of moved) {
      recordKey(tx, key, { action: 'signing_key.moved', facts: { from, to: key.reference } });
    }
  });
  for (const { key } of moved) await keyring.findMoved(key.kid);
  await checkpointer.sign();
  return seen.map(shown);
}

async function lookForCopies({ keyring }: Pick<Parts, 'keyring'>): Promise<Found[]> {
  const found: Found[] = [];
  for (const key of keyring.inTokens()) {
    const { kid, purpose } = key;
    try {
      const { token, reference } = await keyring.copyOf(key);
      found.push({ kid, purpose, key, copy: token, reference, problem: null });
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'KEY_NOT_COPIED')) throw error;
      found.push({ kid, purpose, key, copy: null, reference: null, problem: error.message });
    }
  }
  return found;
}

function recordKey(
  tx: Tx,
  key: SigningKey,
  { action, facts = {} }: { readonly action: string; readonly facts?: Readonly<Record<string, string>> },
): void {
  const { kid, realm } = key;
  const target = { kind: 'signing-key', id: kid };
  append(tx, { realm, action, target, after: signingKeyColumns(key), facts });
}

function nothingToMove(seen: readonly Found[]): Fault {
  const [first] = seen;
  if (first === undefined) return new Fault('CONFLICT', 'no signing key is in a token');
  if (first.problem !== null) return new Fault('KEY_NOT_COPIED', first.problem);
  return new Fault(
    'CONFLICT',
    'every key is on the second token already; make it pkcs11.token in the configuration',
  );
}

function shown({ kid, purpose, copy, problem }: Found): CopySeen {
  return { kid, purpose, copy, problem };
}

import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import { realmIdOf, type RealmId } from '../storage/realm-scope.ts';
import { statement } from '../storage/statement.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import type { KeyAlgorithm, KeyPurpose } from './custodian.ts';
import { JOSE_ALGORITHMS, jwkOf } from './key-id.ts';
import type { SigningKey, SigningKeyState } from './signing-key.ts';

const LIST = statement()((db) =>
  db
    .selectFrom('signing_keys')
    .leftJoin('realms', 'realms.realm_id', 'signing_keys.realm_id')
    .select([
      'signing_keys.kid',
      'signing_keys.purpose',
      'signing_keys.tenant_id as tenantId',
      'signing_keys.realm_id as realm',
      'realms.environment',
      'signing_keys.algorithm',
      'signing_keys.state',
      'signing_keys.custodian',
      'signing_keys.reference',
      'signing_keys.copy',
      'signing_keys.public_key as publicKey',
      'signing_keys.not_before as notBefore',
      'signing_keys.not_after as notAfter',
      'signing_keys.activates_at as activatesAt',
      'signing_keys.compromised_since as compromisedSince',
      'signing_keys.version',
    ])
    .orderBy('signing_keys.not_before')
    .orderBy('signing_keys.kid'),
);

interface Inserted {
  readonly kid: string;
  readonly purpose: string;
  readonly tenantId: string | null;
  readonly owner: RealmId | null;
  readonly keyAlgorithm: string;
  readonly state: SigningKeyState;
  readonly custodian: string;
  readonly reference: string;
  readonly copy: string | null;
  readonly publicKey: Buffer;
  readonly notBefore: number;
  readonly notAfter: number | null;
  readonly activatesAt: number | null;
  readonly now: number;
}

const INSERT = statement<Inserted>()((db, p) =>
  db.insertInto('signing_keys').values({
    kid: p.kid,
    purpose: p.purpose,
    tenant_id: p.tenantId,
    realm_id: p.owner,
    algorithm: p.keyAlgorithm,
    state: p.state,
    custodian: p.custodian,
    reference: p.reference,
    copy: p.copy,
    public_key: p.publicKey,
    not_before: p.notBefore,
    not_after: p.notAfter,
    activates_at: p.activatesAt,
    compromised_since: null,
    created_at: p.now,
    updated_at: p.now,
  }),
);

interface Changed {
  readonly kid: string;
  readonly from: number;
  readonly to: number;
  readonly state: SigningKeyState;
  readonly reference: string;
  readonly copy: string | null;
  readonly notBefore: number;
  readonly notAfter: number | null;
  readonly activatesAt: number | null;
  readonly compromisedSince: number | null;
  readonly now: number;
}

const CHANGE = statement<Changed>()((db, p) =>
  db
    .updateTable('signing_keys')
    .set({
      state: p.state,
      reference: p.reference,
      copy: p.copy,
      not_before: p.notBefore,
      not_after: p.notAfter,
      activates_at: p.activatesAt,
      compromised_since: p.compromisedSince,
      version: p.to,
      updated_at: p.now,
    })
    .where('kid', '=', p.kid)
    .where('version', '=', p.from),
);

const ALGORITHMS: readonly string[] = Object.keys(JOSE_ALGORITHMS) satisfies string[];

/** Every signing key there is. */
export function listSigningKeys(reader: Reader): SigningKey[] {
  return reader.all(LIST, {}).map((row) => {
    const { environment, realm, purpose, algorithm, ...rest } = row;
    invariant(isAlgorithm(algorithm), 'a stored signing key is of an algorithm we know');
    return {
      ...rest,
      realm: realm === null ? null : realmIdOf(realm),
      environment: environment === 'system' ? null : environment,
      purpose: purpose as KeyPurpose, // written by insertSigningKey alone
      algorithm: JOSE_ALGORITHMS[algorithm],
      keyAlgorithm: algorithm,
      jwk: jwkOf(row.publicKey),
    };
  });
}

/**
 * Stores a signing key. The unit records it.
 * @throws Fault CONFLICT when it is active and another one of its purpose and scope is
 */
export function insertSigningKey(tx: Tx, key: SigningKey): void {
  refusingSecondActive(key, () => {
    insert(tx, key);
  });
}

function insert(tx: Tx, key: SigningKey): void {
  const { kid, purpose, tenantId, realm, keyAlgorithm, state, custodian, reference, publicKey } = key;
  const { notBefore, notAfter, activatesAt, copy } = key;
  const where = { tenantId, owner: realm, custodian, reference, copy };
  tx.run(INSERT, {
    ...{ kid, purpose, keyAlgorithm, publicKey, state, notBefore, notAfter, activatesAt },
    ...where,
    now: tx.now,
  });
}

/**
 * Writes a key as it is to be, if its row is still of the version before. The unit records it.
 * @throws Fault CONFLICT when it was changed meanwhile, or another key of its purpose and scope is active
 */
export function changeSigningKey(tx: Tx, key: SigningKey): void {
  const { kid, state, reference, copy, notBefore, notAfter, activatesAt, compromisedSince, version } = key;
  const set = { state, reference, copy, notBefore, notAfter, activatesAt, compromisedSince };
  const written = refusingSecondActive(key, () =>
    tx.run(CHANGE, { kid, ...set, from: version - 1, to: version, now: tx.now }),
  );
  if (written.changes === 0) {
    throw new Fault('CONFLICT', `signing key ${kid} was changed meanwhile; read it again`);
  }
}

function refusingSecondActive<T>({ purpose }: SigningKey, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (!isTaken(cause)) throw cause;
    throw new Fault('CONFLICT', `there is an active ${purpose} key already; retire it first`, { cause });
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_CONSTRAINT_UNIQUE';
}

function isAlgorithm(text: string): text is KeyAlgorithm {
  return ALGORITHMS.includes(text);
}

import { apiKeyDecides, findByPublicId, tenantDecides } from '../../access/index.ts';
import { type SigningKey, signingKeyColumns } from '../../custody/index.ts';
import { listSigningKeys } from '../../custody/keyring-store.ts';
import { fileDecides, listColumns } from '../../issuing/index.ts';
import { entriesAbout } from '../../ledger/index.ts';
import {
  canonicalLicenseKey,
  entitlementDecides,
  fingerprintDigests,
  licenseDecides,
  licenseKeyDigests,
  licenseLink,
  machineDecides,
  openFingerprint,
  openLicenseKey,
  policyDecides,
  policyLink,
  productDecides,
  PURGE_JOB,
} from '../../licensing/index.ts';
import { realmIdOf, SYSTEM_REALM } from '../../storage/realm-scope.ts';
import { requireSetting, settingColumns } from '../../storage/settings-store.ts';
import type { Statement } from '../../storage/statement.ts';
import type { Reader } from '../../storage/tx.ts';
import { allRealms, allTenants, linksOfLicense, linksOfPolicy, ROWS } from './compared-rows-store.ts';
import type { ComparedRow, Noun, OpenKeys, Place } from './noun.ts';

/** Rows read at a time: a few milliseconds of comparing. */
const PAGE = 25;
const NONE: ReadonlySet<string> = new Set();
const never = (): boolean => false;

interface Rows<Row> {
  readonly page: Statement<{ after: string; limit: number }, Row>;
  readonly one: Statement<{ id: string }, Row>;
}

type Ways = Pick<Noun, 'pages' | 'find'>;

/** The pages of a table, and one row of it. */
function waysTo<Row extends { readonly id: string }>(
  rows: Rows<Row>,
  compared: (row: Row, place: Place) => ComparedRow,
): Ways {
  return {
    *pages(place) {
      const { reader, realm } = place;
      for (let after = ''; ;) {
        const page = reader.in(realm).all(rows.page, { after, limit: PAGE });
        const last = page.at(-1);
        if (last === undefined) return;
        yield page.map((row) => compared(row, place));
        after = last.id;
      }
    },
    find: (place, id) => {
      const row = place.reader.in(place.realm).get(rows.one, { id });
      return row === undefined ? undefined : compared(row, place);
    },
  };
}

/** Rows that hang on those of another table, and are read with each of them. */
function hanging(
  parents: Rows<{ readonly id: string }>,
  below: (place: Place, parent: string) => ComparedRow[],
): Ways {
  return {
    *pages(place) {
      for (const page of waysTo(parents, ({ id }) => ({ id, columns: {} })).pages(place)) {
        yield page.flatMap(({ id }) => below(place, id));
      }
    },
    find: (place, id) => below(place, id.slice(0, id.indexOf('/'))).find((row) => row.id === id),
  };
}

/** A purge came after what is said to have ended the row. */
function purgedSince({ endedBy }: Pick<Noun, 'endedBy'>): Noun['mayBeGone'] {
  return ({ reader, realm }, _id, newest) => {
    const page = { before: Number.MAX_SAFE_INTEGER, limit: 1 };
    const [purge] = entriesAbout(reader, { realm, subject: PURGE_JOB }, page);
    return endedBy.has(newest.action) && purge !== undefined && purge.position > newest.position;
  };
}

function deletable(noun: Pick<Noun, 'kind' | 'tables'>, ways: Ways): Noun {
  const endedBy = new Set([`${noun.kind}.deleted`]);
  return { ...noun, ...ways, small: false, endedBy, mayBeGone: purgedSince({ endedBy }) };
}

/** Emptied, or gone, and then reported itself when it should not be. */
function licenseIsOver({ reader, realm }: Place, licenseId: string): boolean {
  const license = reader.in(realm).get(ROWS.licenses.one, { id: licenseId });
  return license === undefined || license.keptUntil !== null;
}

const MACHINE_ENDS = new Set(['machine.deactivated', 'machine.seat_released', 'machine.seat_resumed']);

/** What belongs to the appliance, or is read whole. */
function few(
  noun: Pick<Noun, 'kind' | 'tables'>,
  all: (reader: Reader, place: Place) => ComparedRow[],
): Noun {
  return {
    ...noun,
    ...{ small: true, endedBy: NONE, mayBeGone: never },
    *pages(place) {
      yield all(place.reader, place);
    },
    find: (place, id) => all(place.reader, place).find((row) => row.id === id),
  };
}

const ownedByAppliance = (rows: (reader: Reader) => ComparedRow[]) => (reader: Reader, place: Place) =>
  place.realm === SYSTEM_REALM ? rows(reader) : [];

const isIn = (place: Place) => (key: SigningKey) => (key.realm ?? SYSTEM_REALM) === place.realm;

/** What a list of words is stored as; whatever else somebody has put there is one word. */
function wordsOf(stored: string): string[] {
  try {
    const words: unknown = JSON.parse(stored);
    return Array.isArray(words) ? words.map(String) : [stored];
  } catch {
    return [stored];
  }
}

const API_KEYS: Noun = {
  ...{ kind: 'api-key', tables: ['api_keys'], small: true, endedBy: NONE, mayBeGone: never },
  ...waysTo(ROWS.apiKeys, (row, { reader, realm }) => ({
    id: row.id,
    columns: apiKeyDecides({
      ...row,
      scopes: wordsOf(row.scopes),
      allowedCidrs: wordsOf(row.allowedCidrs),
      allowedProducts: wordsOf(row.allowedProducts),
      cascade: row.cascade === 1,
    }),
    isFoundRightly: ({ indexer }: OpenKeys) => {
      const found = findByPublicId(reader, indexer, row.publicId);
      return found?.realm === realm && found.apiKeyId === row.id;
    },
  })),
};

function isErased(reader: Reader, tenantId: string): boolean {
  return allTenants(reader).some(({ id, status }) => id === tenantId && status === 'erased');
}

/** Lists are told of by the appliance, under the name of their realm. */
function listOf(reader: Reader, realm: ReturnType<typeof allRealms>[number]): ComparedRow[] {
  const columns = listColumns(reader.in(realmIdOf(realm.realm)));
  return columns === undefined ? [] : [{ id: `${String(realm.tenantId)}/${realm.environment}`, columns }];
}

/** Every kind of rows that decide something. */
export const NOUNS: readonly Noun[] = [
  few(
    { kind: 'appliance', tables: ['settings'] },
    ownedByAppliance((reader) => [
      { id: requireSetting(reader, 'applianceId'), columns: settingColumns(reader) },
    ]),
  ),
  few(
    { kind: 'tenant', tables: ['tenants'] },
    ownedByAppliance((reader) =>
      allTenants(reader).map((row) => ({ id: row.id, columns: tenantDecides(row) })),
    ),
  ),
  few({ kind: 'signing-key', tables: ['signing_keys', 'realms'] }, (reader, place) =>
    listSigningKeys(reader)
      .filter(isIn(place))
      .map((key) => ({ id: key.kid, columns: signingKeyColumns(key) })),
  ),
  API_KEYS,
  {
    ...few({ kind: 'revocation-list', tables: ['revocation_lists'] }, (reader, place) =>
      place.realm === SYSTEM_REALM ? allRealms(reader).flatMap((one) => listOf(reader, one)) : [],
    ),
    mayBeGone: ({ reader }, id) => isErased(reader, id.slice(0, id.indexOf('/'))),
  },
  deletable(
    { kind: 'product', tables: ['products'] },
    waysTo(ROWS.products, (row) => ({ id: row.id, columns: productDecides(row, row.deletedAt) })),
  ),
  deletable(
    { kind: 'policy', tables: ['policies'] },
    waysTo(ROWS.policies, (row) => ({ id: row.id, columns: policyDecides(row, row.deletedAt) })),
  ),
  deletable(
    { kind: 'entitlement', tables: ['entitlements'] },
    waysTo(ROWS.entitlements, (row) => ({ id: row.id, columns: entitlementDecides(row, row.deletedAt) })),
  ),
  deletable(
    { kind: 'license', tables: ['licenses'] },
    waysTo(ROWS.licenses, (row, { realm }) => ({
      id: row.id,
      columns: licenseDecides(row, row.deletedAt),
      isFoundRightly: ({ sealer, indexer }: OpenKeys) => {
        if (row.keySealed === null) return row.keptUntil !== null;
        const key = canonicalLicenseKey(openLicenseKey({ sealer }, realm, row));
        return licenseKeyDigests(indexer, key).some(({ digest }) => digest.equals(row.keyHash));
      },
    })),
  ),
  {
    ...{ kind: 'license-entitlement', tables: ['license_entitlements'], small: false, endedBy: NONE },
    ...hanging(ROWS.licenses, ({ reader, realm }, licenseId) =>
      linksOfLicense(reader.in(realm), licenseId).map((link) => {
        const { target, columns } = licenseLink(link);
        return { id: target.id, columns };
      }),
    ),
    mayBeGone: (place, id) => licenseIsOver(place, id.slice(0, id.indexOf('/'))),
  },
  {
    ...{ kind: 'policy-entitlement', tables: ['policy_entitlements'], small: false, endedBy: NONE },
    ...hanging(ROWS.policies, ({ reader, realm }, policyId) =>
      linksOfPolicy(reader.in(realm), policyId).map((link) => {
        const { target, columns } = policyLink(link);
        return { id: target.id, columns };
      }),
    ),
    mayBeGone: ({ reader, realm }, id) =>
      reader.in(realm).get(ROWS.policies.one, { id: id.slice(0, id.indexOf('/')) }) === undefined,
  },
  {
    ...{ kind: 'machine', tables: ['machines'], small: false, endedBy: MACHINE_ENDS },
    ...waysTo(ROWS.machines, (row, { realm }) => ({
      id: row.id,
      columns: machineDecides(row),
      emptied: row.purgedAt !== null,
      isFoundRightly: ({ sealer, indexer }: OpenKeys) => {
        if (row.purgedAt !== null) return true;
        const fingerprint = openFingerprint(sealer, realm, row);
        const digests = fingerprintDigests(indexer, realm, fingerprint);
        return digests.some(({ digest }) => digest.equals(row.fingerprintHash));
      },
    })),
    mayBeGone: purgedSince({ endedBy: MACHINE_ENDS }),
  },
  {
    ...{ kind: 'file', tables: ['issued_files'], small: false, endedBy: NONE },
    ...waysTo(ROWS.files, (row) => ({ id: row.id, columns: fileDecides(row) })),
    // Files go with their licence, and are found by nothing else.
    mayBeGone: (place, _id, { facts }) => licenseIsOver(place, String(facts['licenseId'])),
  },
];

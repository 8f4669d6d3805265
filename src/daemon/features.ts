import { countIssue } from '../access/index.ts';
import { realmScope, spkiFingerprint } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { prepareTenantTrust, RevocationLists } from '../issuing/index.ts';
import {
  Challenges,
  createLicenseUsage,
  createMachineUsage,
  createValidationCounts,
  Decoy,
  LimitNotices,
  PolicyCache,
  RunningBatches,
} from '../licensing/index.ts';
import { DAY, type EpochMs, HOUR } from '../lib/clock.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { listRealms } from '../storage/realms.ts';
import { type Activity, refusalIn } from '../states.ts';
import { callerMemory } from './callers.ts';
import { hasHandedOver } from './ledger-signers.ts';
import type { Parts } from './parts.ts';

/** Everything the features ask for, by the names they ask for it; each of them sees only what it declares. */
export type FeatureDeps = ReturnType<typeof featureDeps>;

/** Makes the memory that features keep (caches, buffers, limits) and names the parts as they know them. */
export function featureDeps(parts: Parts) {
  const { work, custody, random, time, outbox, identity, realms, keyring, sequence, ledger, clock, config } =
    parts;
  const { sealer, indexer } = custody;
  const openedAt = time.now();
  const mayRunJobs = (): boolean => refusalIn(parts.states(), 'jobs') === null;
  const settled = (): boolean => time.isSettled(config.clock.settleHours * HOUR);
  // What time does for good waits until the clock has been above suspicion for long enough (exchange.md, Clock).
  const mayEnd = (): boolean => mayRunJobs() && settled();
  // Retention makes room on a full disk, where every other job waits.
  const mayPurge = (): boolean => refusalIn(parts.states(), 'retention') === null && settled();
  const revocationLists = revocationListsOf(parts);
  return {
    ...{ work, read: work.read, sealer, indexer, random, time, outbox, realms, clock },
    ...callerMemory(parts),
    ...keyDeps(parts),
    branch: () => identity.branch,
    admit: (activity: Activity) => admit(parts, activity),
    policies: new PolicyCache(),
    batches: new RunningBatches(),
    licenseUsage: createLicenseUsage(work),
    validationCounts: createValidationCounts(work),
    machineUsage: createMachineUsage(work),
    challenges: new Challenges({ clock, random }),
    limitNotices: new LimitNotices(),
    decoy: new Decoy({ sealer, random }),
    readyAt: (): EpochMs => openedAt,
    realmName: (realm: RealmId) => realms.name(realm),
    realmsChanged: () => {
      realms.reload();
    },
    environmentOf: (realm: RealmId) => realms.environmentOf(realm),
    onlyRealm: (environment: 'live' | 'test') => onlyRealm(parts, environment),
    clockSuspect: () => time.check().state === 'suspect',
    rootsOf: (tenantId: string) =>
      keyring
        .ofTenant(tenantId)
        .filter(({ purpose }) => purpose === 'root')
        .map(({ publicKey }) => spkiFingerprint(publicKey)),
    prepareKeys: (tenant: { id: string; code: string; at: EpochMs }) =>
      prepareTenantTrust(
        {
          keyring,
          createRealmKeys: (tx, realm) => {
            custody.createRealmKeys(tx, realm);
          },
        },
        tenant,
      ),
    keyring,
    activeLicenseKid: (realm: RealmId) => keyring.activeKey('license', realmScope(realm)).kid,
    signingKeys: keyring,
    signer: keyring,
    fileNumbers: sequence,
    ledgerAnchor: () => ledger.anchor(),
    revocationLists,
    epoch: (realm: RealmId) => revocationLists.epoch(realm),
    realmByCode: (code: string, environment: 'live' | 'test') => realms.byCode(code, environment),
    issuer: { name: identity.issuer, dev: identity.dev },
    countIssue,
    mayRunJobs,
    mayEnd,
    mayPurge,
    keepDeletedMs: config.retention.deletedDays * DAY,
    keepEventsMs: config.retention.eventDays * DAY,
    mayActIrreversibly: () => mayEnd(),
    mayRecord: () => !work.diskFull,
  };
}

/** The one realm of an environment; undefined with none or several. */
function onlyRealm({ realms }: Parts, environment: 'live' | 'test'): RealmId | undefined {
  const [only, ...more] = realms.all().filter((realm) => realms.environmentOf(realm) === environment);
  return more.length === 0 ? only : undefined;
}

function revocationListsOf(parts: Parts): RevocationLists {
  const { work, keyring, time, clock, realms, log } = parts;
  return new RevocationLists({
    ...{ work, keyring, time, clock },
    realmName: (realm) => (realms.standing(realm).status === 'erased' ? null : realms.name(realm)),
    admit: (activity) => {
      admit(parts, activity);
    },
    onListFailure: (error) => {
      log.error('no new revocation list', { error });
    },
  });
}

/** What the life of signing keys asks for. */
function keyDeps(parts: Parts) {
  const { leadDays, reminderDays, rotateDays } = parts.config.signingKeys;
  return {
    leadMs: leadDays * DAY,
    reminderMs: reminderDays * DAY,
    rotateMs: rotateDays === null ? null : rotateDays * DAY,
    ledgerOrigin: parts.identity.origin,
    ledgerHandedOver: () => hasHandedOver(parts),
    tenantCode: (tenantId: string) =>
      listRealms(parts.work.read).find((realm) => realm.tenantId === tenantId)?.tenantCode ?? null,
  };
}

/** @throws Fault of the state in which `activity` is not done */
function admit(parts: Parts, activity: Activity): void {
  const held = parts.states();
  const code = refusalIn(held, activity);
  if (code === null) return;
  const reasons = held.map(({ state, reason }) => `${state}: ${reason}`).join('; ');
  throw new Fault(code, reasons, { retryAfterMs: 10_000 });
}

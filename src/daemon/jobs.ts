import { accessJobs } from '../access/index.ts';
import { RESEAL_JOB } from '../custody/index.ts';
import { deliveryJobs } from '../delivery/index.ts';
import { revocationJobs, signingKeyJobs } from '../issuing/index.ts';
import { ledgerJobs } from '../ledger/index.ts';
import {
  analyticsJobs,
  licenseJobs,
  machineJobs,
  productJobs,
  purgeJobs,
  validationJobs,
} from '../licensing/index.ts';
import type { Job } from '../jobs/schedule.ts';
import { DAY, SECOND } from '../lib/clock.ts';
import { PURGE_EVERY_MS, purgeExpired } from '../storage/idempotency-store.ts';
import { SYSTEM_REALM } from '../storage/realm-scope.ts';
import { refusalIn } from '../states.ts';
import { eraseJob } from './erase-tenant.ts';
import type { FeatureDeps } from './features.ts';
import type { Parts } from './parts.ts';

/** Everything that is done by time. */
export function allJobs(parts: Parts, deps: FeatureDeps): Job[] {
  const realms = (): ReturnType<typeof parts.realms.all> => parts.realms.all();
  return [
    ...ledgerJobs({ ...deps, ...parts, checkpointSeconds: parts.config.ledger.checkpointSeconds }),
    ...accessJobs({
      ...deps,
      realms,
      keyNotices: { ...deps, rules: keyRules(parts) },
      usagePurge: {
        work: parts.work,
        realms: () => [SYSTEM_REALM, ...realms()],
        retentionDays: parts.config.retention.usageDays,
        rowsKept: parts.config.retention.usageRows,
      },
    }),
    ...validationJobs(deps),
    ...analyticsJobs({ ...deps, realms }),
    ...machineJobs({ ...deps, realms }),
    ...licenseJobs({ ...deps, realms }),
    ...productJobs({ ...deps, realms }),
    ...purgeJobs({ ...deps, realms }),
    ...revocationJobs({ ...deps, realms, mayIssue: () => refusalIn(parts.states(), 'issue') === null }),
    ...signingKeyJobs(deps),
    ...deliveryJobs({ ...deps, realms: () => [SYSTEM_REALM, ...realms()] }),
    ...storageJobs(parts, deps),
    resealJob(parts, deps),
    eraseJob({ ...deps, custody: parts.custody }, deps.mayRunJobs),
    loadJob(parts, deps),
    signerJob(parts),
  ];
}

function keyRules({ config: { apiKeys } }: Parts): { reminderMs: number; maxAgeMs: number | null } {
  const { rotationReminderDays, maxAgeDays } = apiKeys;
  return {
    reminderMs: rotationReminderDays * DAY,
    maxAgeMs: maxAgeDays === null ? null : maxAgeDays * DAY,
  };
}

/** Values are put under a new data key for most of each second, in slices of a few milliseconds. */
function resealJob({ resealing }: Parts, { mayRunJobs }: FeatureDeps): Job {
  return { name: RESEAL_JOB, everyMs: RESEAL_EVERY_MS, mayRun: mayRunJobs, run: () => resealing.run() };
}

/** Between two runs of it, which last up to a second. */
const RESEAL_EVERY_MS = 100;

const SIGNER_JOB = 'watch-signers';
/** How soon an HSM that came back is noticed. */
const SIGNER_EVERY_MS = 5 * SECOND;

/** Looks after the custodians, and says once that one went away or came back. */
function signerJob({ custody, log, keyring, work, outbox }: Parts): Job {
  const said = new Map<string, string>();
  return {
    name: SIGNER_JOB,
    everyMs: SIGNER_EVERY_MS,
    run: async () => {
      await custody.check();
      for (const { custodian, health } of custody.health()) {
        const before = said.get(custodian) ?? 'ready';
        said.set(custodian, health.state);
        if (before === health.state) continue;
        const line = { custodian, state: health.state, detail: health.detail };
        if (health.state === 'ready') log.info('the signer is back', line);
        else log.warn('the signer is not well', line);
        if (health.state === 'unavailable') await tellOfSigner({ keyring, work, outbox }, custodian);
      }
    },
  };
}

/** Tells each realm whose licence key is held by a custodian that does not sign. */
async function tellOfSigner(
  { keyring, work, outbox }: Pick<Parts, 'keyring' | 'work' | 'outbox'>,
  custodian: string,
): Promise<void> {
  const keys = keyring.list().filter((key) => key.state === 'active' && key.purpose === 'license');
  const silent = keys.filter((key) => key.custodian === custodian);
  if (silent.length === 0 || work.diskFull) return;
  await work.keep(SIGNER_JOB, (tx) => {
    for (const { kid, realm } of silent) {
      if (realm !== null) outbox.emit(tx, { type: 'system.signer_unavailable', realm, data: { kid } });
    }
  });
}

/** How often the load is looked at. */
const LOAD_EVERY_MS = 100;

/** Measures how late a timer comes: what every request waits besides its own work. */
function loadJob({ clock }: Parts, { overload }: FeatureDeps): Job {
  let due: number | undefined;
  return {
    name: 'watch-load',
    everyMs: LOAD_EVERY_MS,
    run: () => {
      const now = clock.monotonic();
      if (due !== undefined) overload.sample(now - due);
      due = now + LOAD_EVERY_MS;
      return Promise.resolve();
    },
  };
}

function storageJobs(parts: Parts, deps: FeatureDeps): Job[] {
  const { work, time, disk, realms } = parts;
  return [
    {
      name: 'watch-clock-and-disk',
      everyMs: SECOND,
      run: async () => {
        time.check();
        await disk.check();
        work.probeDisk();
      },
    },
    {
      name: 'write-ahead-log',
      everyMs: SECOND,
      run: () => {
        work.checkpointWhenIdle();
        return Promise.resolve();
      },
    },
    {
      name: 'idempotency-purge',
      everyMs: PURGE_EVERY_MS,
      mayRun: deps.mayRunJobs,
      run: async () => {
        for (const realm of [SYSTEM_REALM, ...realms.all()]) {
          while ((await work.keep('idempotency-purge', (tx) => purgeExpired(tx.in(realm), tx.now))) > 0);
        }
      },
    },
  ];
}

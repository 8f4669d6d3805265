import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CustodyDeps,
  generateLedgerKey,
  initialiseCustody,
  registerLedgerKey,
  signingKeyColumns,
} from '../custody/index.ts';
import { append, firstLedgerKey, formatVerifierKey, Ledger, ledgerOrigin } from '../ledger/index.ts';
import type { Secret } from '../lib/secret.ts';
import { newId, ulid } from '../lib/ulid.ts';
import { createDataDirectory } from '../storage/data-directory.ts';
import type { Authority } from '../storage/entry.ts';
import { SYSTEM_REALM } from '../storage/realm-scope.ts';
import { settingColumns, writeSetting } from '../storage/settings-store.ts';
import { openTrustedClock, systemBoot } from '../storage/trusted-clock.ts';
import { readerOf } from '../storage/tx.ts';
import { UnitOfWork } from '../storage/unit-of-work.ts';
import type { Surroundings } from './parts.ts';
import { recordNewSlots } from './slot-entries.ts';

/** What a new appliance is made with. */
export interface NewAppliance {
  /** Made when it is not there; must be empty. */
  readonly root: string;
  /** Writes a credential that opens the appliance at start to this file; absent: no credential slot. */
  readonly credentialPath?: string | undefined;
  readonly passphrase?: Secret | undefined;
  readonly issuer: string;
  /** A throw-away appliance, for good. */
  readonly dev: boolean;
  /** A token, and what its keys are made in. */
  readonly custodians?: Pick<CustodyDeps, 'pkcs11' | 'makesIn' | 'inFiles'>;
  /** Keys in a token may sign without a copy elsewhere: the sentence of consequences was typed. */
  readonly withoutCopy?: boolean;
}

/** What `init` shows once. */
export interface Initialised {
  readonly applianceId: string;
  readonly recoveryCode: Secret;
  /** The first ledger key in its one-line form (docs/formats/ledger.md): what exports are compared with. */
  readonly ledgerKey: string;
}

const BRANCH_BYTES = 8;

/** The local administrator, as the ledger names whoever runs `init`. */
const INITIALISER = { kind: 'operator', id: 'local', via: 'init' } as const;

/**
 * Makes an appliance without tenants.
 * 1. Data directory and empty database. Stop here: `serve` says that init did not finish.
 * 2. Key slots and the ledger key on disk. Stop here: the same; nothing names the keys.
 * 3. One unit: system keys, identity, ledger key, first entries. From the commit on it is an appliance.
 * A failure before that (a token whose PIN is wrong) takes back what was made, so that init can be tried again.
 * @throws Fault DATA_DIRECTORY_INVALID when the directory is not empty; KEY_STORAGE, VALIDATION_FAILED
 */
export async function initialiseAppliance(given: NewAppliance, around: Surroundings): Promise<Initialised> {
  const { clock, random } = around;
  const hadCredential = given.credentialPath !== undefined && existsSync(given.credentialPath);
  const directory = await createDataDirectory(given.root);
  let done = false;
  try {
    const now = clock.wall();
    const { credentialPath, passphrase, custodians } = given;
    const slots = { directory: given.root, random, now, credentialPath, passphrase, ...custodians };
    const { custody, recoveryCode } = await initialiseCustody(slots);
    await using opened = custody;
    const reader = readerOf(directory.database);
    const keyring = await opened.openKeyring(reader, given.withoutCopy);
    const work = new UnitOfWork({
      database: directory.database,
      journal: Ledger.open(reader, { random, sealer: opened.sealer }),
      time: openTrustedClock(reader, { clock, boot: systemBoot }),
      onFatal: around.onFatal,
      monotonic: () => clock.monotonic(),
    });
    const ledgerKey = await generateLedgerKey(keyring);
    const applianceId = ulid(now, random).toLowerCase();
    const authority: Authority = {
      actor: INITIALISER,
      requestId: newId('request', now, random),
      realm: null,
    };
    await work.run(authority, (tx) => {
      opened.createRealmKeys(tx, SYSTEM_REALM);
      writeSetting(tx, 'applianceId', applianceId);
      writeSetting(tx, 'branch', random.bytes(BRANCH_BYTES).toString('hex'));
      writeSetting(tx, 'dev', String(given.dev));
      writeSetting(tx, 'issuer', given.issuer);
      if (given.withoutCopy === true) writeSetting(tx, 'keysWithoutCopy', 'accepted');
      append(tx, {
        action: 'appliance.initialised',
        target: { kind: 'appliance', id: applianceId },
        after: settingColumns(tx),
        facts: { dev: given.dev, ...(given.withoutCopy === true ? { keysWithoutCopy: 'accepted' } : {}) },
      });
      recordNewSlots(tx, opened);
      const key = registerLedgerKey(tx, keyring, ledgerKey);
      append(tx, {
        action: 'signing_key.created',
        target: { kind: 'signing-key', id: key.kid },
        after: signingKeyColumns(key),
      });
    });
    await work.stop();
    const firstKey = firstLedgerKey({ reader, origin: ledgerOrigin(applianceId) });
    done = true;
    return { applianceId, recoveryCode, ledgerKey: formatVerifierKey(firstKey) };
  } finally {
    directory.close();
    if (!done) takeBack(given, { hadCredential });
  }
}

/** What is in the directory, not the directory: it may be a mount point, or have been made with rights of its own. */
function takeBack({ root, credentialPath }: NewAppliance, before: { readonly hadCredential: boolean }): void {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true, force: true });
  if (credentialPath !== undefined && !before.hadCredential) rmSync(credentialPath, { force: true });
}

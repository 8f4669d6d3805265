import { moduleDigest, tokenSettings } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { append } from '../ledger/index.ts';
import type { Authority } from '../storage/entry.ts';
import { readSetting, settingColumns, writeSetting } from '../storage/settings-store.ts';
import type { Parts } from './parts.ts';

/**
 * Records which PKCS#11 module is loaded, when it is another one than at the start before: a vendor's update, or somebody
 * else's code beside the PIN. One that cannot be read is told of when it is loaded.
 */
export async function recordModule({ config, work }: Parts, authority: Authority): Promise<void> {
  const module = tokenSettings(config.pkcs11)?.module;
  const sha256 = module === undefined ? undefined : digestOf(module);
  const before = readSetting(work.read, 'moduleDigest');
  if (module === undefined || sha256 === undefined || sha256 === before || work.diskFull) return;
  await work.run(authority, (tx) => {
    writeSetting(tx, 'moduleDigest', sha256);
    append(tx, {
      action: 'module.changed',
      target: { kind: 'appliance', id: readSetting(tx, 'applianceId') ?? '' },
      after: settingColumns(tx),
      facts: { sha256, before: before ?? null },
    });
  });
}

function digestOf(module: string): string | undefined {
  try {
    return moduleDigest(module);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

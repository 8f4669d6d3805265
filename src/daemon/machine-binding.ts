import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What an appliance runs on, part by part: `<kind>` → digest over the id of the appliance and the value, so that nothing of the
 * machine stands in the database. A part that cannot be read (a container, no rights) is left out.
 */
export type MachineBinding = Readonly<Record<string, string>>;

/** Where the machine tells of itself. */
export interface MachineRoot {
  /** `/` but in tests. */
  readonly root: string;
}

const SYSTEM: MachineRoot = { root: '/' };

/** Reads what this machine is. @param dataDirectory the file system it lies on is part of it */
export function readBinding(applianceId: string, dataDirectory: string, machine = SYSTEM): MachineBinding {
  const at = (path: string): string => join(machine.root, path);
  const parts: Readonly<Record<string, string | undefined>> = {
    'machine-id': textOf(at('etc/machine-id')),
    'product-uuid': textOf(at('sys/class/dmi/id/product_uuid')),
    mac: firstMac(at('sys/class/net')),
    'file-system': fileSystemOf(dataDirectory, at('dev/disk/by-uuid')),
  };
  const known = Object.entries(parts).filter((part): part is [string, string] => part[1] !== undefined);
  return Object.fromEntries(known.map(([kind, value]) => [kind, digestOf(applianceId, kind, value)]));
}

/** The parts that both know and that differ. What one of them could not read says nothing. */
export function differingParts(was: MachineBinding, is: MachineBinding): string[] {
  return Object.keys(was).filter((kind) => is[kind] !== undefined && is[kind] !== was[kind]);
}

function digestOf(applianceId: string, kind: string, value: string): string {
  return createHash('sha256').update(`mintmark/instance/1\n${applianceId}\n${kind}\n${value}`).digest('hex');
}

function textOf(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch {
    // Not there, or not for us: the part is left out.
    return undefined;
  }
}

/** Of the first network card by name; bridges, tunnels and the like have no device and come and go. */
function firstMac(net: string): string | undefined {
  for (const name of namesIn(net)) {
    const isCard = statSync(join(net, name, 'device'), { throwIfNoEntry: false }) !== undefined;
    if (isCard) return textOf(join(net, name, 'address'));
  }
  return undefined;
}

function fileSystemOf(directory: string, byUuid: string): string | undefined {
  const { dev } = statSync(directory);
  return namesIn(byUuid).find(
    (uuid) => statSync(join(byUuid, uuid), { throwIfNoEntry: false })?.rdev === dev,
  );
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Custody } from '../../custody/index.ts';
import { listSlots } from '../../custody/slots/slots.ts';
import { SLOT_KINDS } from '../../custody/slots/slot-secret.ts';
import { Fault } from '../../faults.ts';
import { demandPrivate, warningsFor } from '../../storage/directory-checks.ts';
import { freeBytesOf } from '../../storage/disk-guard.ts';
import type { Examined } from './examined.ts';
import { failed, first, ok, type Outcome, unchecked, warning } from './finding.ts';

const OTHERS = 0o077;
const PERMISSIONS = 0o777;
const MIB = 1024 * 1024;

/** A configuration that is not valid does not come this far. */
export function lookAtConfiguration({ config }: Examined): Outcome[] {
  const { allowPlain } = config.http;
  if (allowPlain.length === 0) return [ok('valid')];
  return [
    warning(`networks are served without TLS: ${first(allowPlain)}`, 'Put a proxy with TLS before it.'),
  ];
}

/** Nobody else may enter the data directory or read a file of it. */
export function lookAtDirectory({ paths }: Examined): Outcome[] {
  const { root } = paths;
  try {
    demandPrivate(root);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [failed(error.message, `Run: chmod 700 ${root}; chown it to the user of the appliance.`)];
  }
  const open = everythingBelow(paths.root).filter((path) => isOpen(path, paths.run));
  const modes =
    open.length === 0
      ? ok(`${root} is ours alone`)
      : failed(`others may read or write ${first(open)}`, `Run: chmod -R go-rwx ${root}`);
  return [
    modes,
    ...warningsFor(paths).map((text) => warning(text, 'Move the data directory to a local disk.')),
  ];
}

/** Sockets in `run/` are opened to a group on purpose. */
function isOpen(path: string, run: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isSocket() || path.startsWith(`${run}/`)) return false;
  return stats.isSymbolicLink() || (stats.mode & PERMISSIONS & OTHERS) !== 0;
}

function everythingBelow(root: string): string[] {
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = join(root, entry.name);
    return entry.isDirectory() ? [path, ...everythingBelow(path)] : [path];
  });
}

/** Room on the disk, and the space held back. */
export function lookAtSpace({ paths, config }: Examined): Outcome[] {
  const { reserveMiB, ballastMiB } = config.data;
  const free = Math.floor(freeBytesOf(paths.root) / MIB);
  const remedy = 'Make room on the disk, or move the data directory to a larger one.';
  const room =
    free >= reserveMiB
      ? ok(`${String(free)} MiB are free; ${String(reserveMiB)} are needed`)
      : failed(`${String(free)} MiB are free, ${String(reserveMiB)} are needed`, remedy);
  const held = existsSync(paths.ballast) ? Math.floor(statSync(paths.ballast).size / MIB) : 0;
  if (held >= ballastMiB) return [room];
  const missing = `the ballast holds ${String(held)} of ${String(ballastMiB)} MiB`;
  return [
    room,
    warning(missing, 'It is taken back by the running appliance as soon as there is room for it.'),
  ];
}

/** Every slot can be read, and one of them is kept for the day on which no other opens. */
export function lookAtSlots({ paths }: Examined): Outcome[] {
  const slots = listSlots(paths.root);
  const damaged = slots.filter((slot) => slot.damaged).map(({ name }) => name);
  const sound = slots.filter((slot) => !slot.damaged);
  const recovers = sound.some((slot) => SLOT_KINDS[slot.kind].recovers);
  const names = sound.map((slot) => `${slot.name} (${slot.kind})`);
  return [
    sound.length === 0
      ? failed('no slot can be read', 'Put the slots back from a backup: they are in its header and in it.')
      : ok(`slots that can be read: ${names.join(', ')}`),
    ...damaged.map((name) =>
      failed(`slot ${name} is damaged`, 'Remove it and add it anew while another one opens the keys.'),
    ),
    ...(recovers
      ? []
      : [failed('no slot recovers', 'Add one now: nothing else helps when the others are lost.')]),
  ];
}

/** Every key that is to sign can be found and opened by its custodian. */
export async function lookAtKeys({ custody, reader }: Examined): Promise<Outcome[]> {
  if (!(custody instanceof Custody)) return [shut(custody)];
  try {
    const keyring = await custody.openKeyring(reader);
    const unfound = keyring.unfound().map(({ kid, reason }) => `${kid}: ${reason}`);
    const count = `${String(keyring.list().length)} signing keys`;
    if (unfound.length === 0) return [ok(`${count}, each that is to sign was found`)];
    return [
      failed(`not found: ${first(unfound)}`, 'Bring the token back; `mintmark hsm probe` says what it sees.'),
    ];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [failed(error.message, 'Put the named key file back from a backup.')];
  }
}

/** How much of the life of each data key is spent. */
export function lookAtKeyUse({ custody }: Examined): Outcome[] {
  if (!(custody instanceof Custody)) return [shut(custody)];
  const keys = custody.dataKeyStatus();
  const worn = keys
    .filter(({ state }) => state !== 'fine')
    .map(({ version, state }) => `${String(version)}: ${state}`);
  if (worn.length === 0) return [ok(`${String(keys.length)} data keys, all far from their limit`)];
  return [
    warning(
      `data keys near their limit: ${first(worn)}`,
      'They are replaced by themselves; watch that it happens.',
    ),
  ];
}

/** Why nothing can be said without keys. */
export function shut({ shut: why }: { readonly shut: string }): Outcome {
  return unchecked(
    `the keys are shut: ${why}`,
    'Give a slot that opens them: --passphrase-file, --recovery-file.',
  );
}

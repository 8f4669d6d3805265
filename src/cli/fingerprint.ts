import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { encodeBase32 } from '../lib/base32.ts';
import { explicitFingerprint, type ExplicitFingerprint, readSurroundings } from './container.ts';
import { details, type Output } from './terminal.ts';

/** One thing that tells this machine from others. */
export interface MachineComponent {
  readonly name: string;
  /** Null when it is missing or this user may not read it. */
  readonly value: string | null;
  /** Whether every user can read it: only these go into the fingerprint, so that root and others get the same one. */
  readonly inFingerprint: boolean;
}

/** Values that manufacturers leave in the field when they have no number to put there. */
const FILLERS = /^(0+|f+|none|to be filled.*|default string|not specified|system serial number|unknown)$/i;

/**
 * Reads what identifies a Linux machine: machine-id, product UUID, board serial, first disk, first physical network
 * address. @param root the root of the file system; tests give another
 */
export function readComponents(root = '/'): MachineComponent[] {
  const read = (path: string): string | null => readValue(join(root, path));
  return [
    { name: 'machine-id', value: read('etc/machine-id'), inFingerprint: true },
    { name: 'product-uuid', value: read('sys/class/dmi/id/product_uuid'), inFingerprint: false },
    { name: 'board', value: read('sys/class/dmi/id/board_serial'), inFingerprint: false },
    { name: 'disk', value: firstDisk(root), inFingerprint: true },
    { name: 'mac', value: firstMac(root), inFingerprint: true },
  ];
}

function readValue(path: string): string | null {
  try {
    const value = readFileSync(path, 'utf8').trim();
    return value === '' || FILLERS.test(value) ? null : value;
  } catch {
    return null;
  }
}

function entries(path: string): string[] {
  return existsSync(path) ? readdirSync(path).sort() : [];
}

function firstDisk(root: string): string | null {
  const blocks = join(root, 'sys/block');
  for (const name of entries(blocks).filter((disk) => /^(sd|vd|xvd|nvme|mmcblk)/.test(disk))) {
    for (const source of ['serial', 'device/serial', 'device/wwid', 'wwid', 'device/cid']) {
      const value = readValue(join(blocks, name, source));
      if (value !== null) return value;
    }
  }
  return null;
}

/** Only cards that are hardware: bridges, tunnels and containers make addresses up. */
function firstMac(root: string): string | null {
  const cards = join(root, 'sys/class/net');
  const physical = entries(cards).filter((name) => existsSync(join(cards, name, 'device')));
  const addresses = physical.map((name) => readValue(join(cards, name, 'address')));
  return addresses.filter((address) => address !== null && address !== '00:00:00:00:00:00').sort()[0] ?? null;
}

/**
 * A fingerprint of the components that every user can read: `mm1-` and 32 Crockford characters of SHA-256 over
 * `name=value` lines, sorted. The components themselves cannot be read back from it.
 * @returns null when not one of them is there
 */
export function fingerprintOf(components: readonly MachineComponent[]): string | null {
  const lines = components
    .filter(({ inFingerprint, value }) => inFingerprint && value !== null)
    .map(({ name, value }) => `${name}=${String(value)}`)
    .sort();
  if (lines.length === 0) return null;
  const digest = createHash('sha256')
    .update(`mintmark-fingerprint/1\n${lines.join('\n')}\n`)
    .digest();
  return `mm1-${encodeBase32(digest.subarray(0, 20))}`;
}

/** What this machine is known by, and where that comes from. */
interface Known {
  readonly fingerprint: string | null;
  readonly source: ExplicitFingerprint['source'] | 'hardware' | null;
}

function knownBy(components: readonly MachineComponent[]): Known {
  const explicit = explicitFingerprint(process.env);
  if (explicit !== null) return explicit;
  const fingerprint = fingerprintOf(components);
  return { fingerprint, source: fingerprint === null ? null : 'hardware' };
}

const SHARED =
  'this is a container: what it sees of the hardware is its host’s or its image’s, and other containers see the same. ' +
  'Set MINTMARK_FINGERPRINT, or POD_UID from metadata.uid by the downward API';

/** Adds `fingerprint`: what this machine is known by. */
export function addFingerprint(program: Command, outputOf: (command: Command) => Output): void {
  const command = program
    .command('fingerprint')
    .description('show the fingerprint of this machine and what it is made of')
    .option('--plain', 'print the fingerprint alone')
    .addHelpText(
      'after',
      '\nThe fingerprint is MINTMARK_FINGERPRINT or POD_UID of the environment where one is set (containers); else it\n' +
        'covers machine-id, first disk and first network card, as far as they are there.',
    );
  command.action((flags: { plain?: boolean }) => {
    showFingerprint(outputOf(command), flags.plain === true);
  });
}

function showFingerprint(out: Output, plain: boolean): void {
  const components = readComponents();
  const { platform, evidence } = readSurroundings('/', process.env);
  const { fingerprint, source } = knownBy(components);
  if (evidence.length > 0 && source === 'hardware') out.warn(SHARED);
  const missing = components.filter(({ value }) => value === null).map(({ name }) => name);
  const named = Object.fromEntries(components.map(({ name, value }) => [name, value]));
  const told = { fingerprint, source, platform, container: evidence };
  out.result({ ...told, components: named, missing }, () => {
    if (plain) return fingerprint ?? '';
    return `${details({ ...told, ...named })}\nmissing or not readable for this user: ${missing.join(', ') || 'none'}`;
  });
}

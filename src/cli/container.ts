import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError, EXIT } from './exit-code.ts';

/** What the program runs in, as `platform` of a machine names it. */
export type Platform = 'kubernetes' | 'docker' | 'linux';

/** What the program runs in, and what says so. */
export interface Surroundings {
  readonly platform: Platform;
  /** Files and variables that were found; empty: it is no container that shows. */
  readonly evidence: readonly string[];
}

/** A fingerprint that somebody set, and where. */
export interface ExplicitFingerprint {
  readonly fingerprint: string;
  readonly source: 'MINTMARK_FINGERPRINT' | 'POD_UID';
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Sign {
  readonly platform: Platform;
  readonly name: string;
  readonly seen: (root: string, env: Environment) => boolean;
}

const file = (platform: Platform, path: string): Sign => ({
  platform,
  name: `/${path}`,
  seen: (root) => existsSync(join(root, path)),
});

const cgroup = (platform: Platform, pattern: RegExp): Sign => ({
  platform,
  name: '/proc/1/cgroup',
  seen: (root) => pattern.test(readText(join(root, 'proc/1/cgroup'))),
});

/** What gives a container away; with cgroup v2 the path of the first process says nothing, and the files remain. */
const SIGNS: readonly Sign[] = [
  {
    platform: 'kubernetes',
    name: 'KUBERNETES_SERVICE_HOST',
    seen: (_root, env) => env['KUBERNETES_SERVICE_HOST'] !== undefined,
  },
  file('kubernetes', 'var/run/secrets/kubernetes.io/serviceaccount'),
  cgroup('kubernetes', /kubepods/),
  file('docker', '.dockerenv'),
  file('docker', 'run/.containerenv'),
  cgroup('docker', /\/(?:docker|libpod|containerd|lxc)[/-]/),
];

/** Looks for signs of a container. @param root the root of the file system; tests give another */
export function readSurroundings(root: string, env: Environment): Surroundings {
  const found = SIGNS.filter((sign) => sign.seen(root, env));
  const platform = found.find((sign) => sign.platform === 'kubernetes')?.platform ?? found[0]?.platform;
  return { platform: platform ?? 'linux', evidence: [...new Set(found.map(({ name }) => name))] };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What the API takes as a fingerprint. */
const FINGERPRINT = /^[^\p{Cc}]{8,256}$/u;
const UID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The fingerprint that is set in the environment: `MINTMARK_FINGERPRINT` as it stands, else `POD_UID` (the UID of the
 * pod, through the downward API) as `pod-<uid>`; null: neither is set.
 * @throws CliError when what is set cannot be one: a container that took its hardware instead would take others' seats
 */
export function explicitFingerprint(env: Environment): ExplicitFingerprint | null {
  const own = env['MINTMARK_FINGERPRINT'];
  if (own !== undefined) {
    if (FINGERPRINT.test(own)) return { fingerprint: own, source: 'MINTMARK_FINGERPRINT' };
    throw new CliError(
      EXIT.usage,
      'MINTMARK_FINGERPRINT is not 8 to 256 characters without control characters',
    );
  }
  const uid = env['POD_UID'];
  if (uid === undefined) return null;
  if (UID.test(uid)) return { fingerprint: `pod-${uid.toLowerCase()}`, source: 'POD_UID' };
  throw new CliError(
    EXIT.usage,
    'POD_UID is not the UID of a pod; take it from metadata.uid by the downward API',
  );
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explicitFingerprint, readSurroundings, type Surroundings } from '../../src/cli/container.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { jsonOf, mintmark } from './run-cli.ts';

const UID = '7f3c1b0a-5d2e-4c11-9a77-0e5b6c1d2f34';

function surroundings(
  files: Readonly<Record<string, string>>,
  env: Record<string, string> = {},
): Surroundings {
  using root = temporaryDirectory();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root.path, path)), { recursive: true });
    writeFileSync(join(root.path, path), text);
  }
  return readSurroundings(root.path, env);
}

interface Seen {
  readonly what: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Record<string, string>;
  readonly told: Surroundings;
}

const v1 = (path: string) => ({ 'proc/1/cgroup': `5:cpu:/${path}/3f9a\n` });
const TABLE: readonly Seen[] = [
  { what: 'a plain machine', files: v1('init.scope'), told: { platform: 'linux', evidence: [] } },
  { what: 'nothing readable', told: { platform: 'linux', evidence: [] } },
  { what: 'docker', files: { '.dockerenv': '' }, told: { platform: 'docker', evidence: ['/.dockerenv'] } },
  {
    what: 'podman',
    files: { 'run/.containerenv': '' },
    told: { platform: 'docker', evidence: ['/run/.containerenv'] },
  },
  {
    what: 'docker under cgroup v1',
    files: v1('docker'),
    told: { platform: 'docker', evidence: ['/proc/1/cgroup'] },
  },
  {
    what: 'a pod under cgroup v1',
    files: v1('kubepods/burstable/pod1'),
    told: { platform: 'kubernetes', evidence: ['/proc/1/cgroup'] },
  },
  {
    what: 'a pod by its service account',
    files: { 'var/run/secrets/kubernetes.io/serviceaccount/token': 't', '.dockerenv': '' },
    told: {
      platform: 'kubernetes',
      evidence: ['/var/run/secrets/kubernetes.io/serviceaccount', '/.dockerenv'],
    },
  },
  {
    what: 'a pod by its environment',
    env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    told: { platform: 'kubernetes', evidence: ['KUBERNETES_SERVICE_HOST'] },
  },
];

describe('what a program runs in', () => {
  it.each(TABLE)('is told for $what, with what says so', ({ files = {}, env = {}, told }) => {
    expect(surroundings(files, env)).toEqual(told);
  });
});

describe('a fingerprint that is set', () => {
  it('is taken as it stands, before the UID of the pod', () => {
    const env = { MINTMARK_FINGERPRINT: 'line-4-press', POD_UID: UID };
    expect(explicitFingerprint(env)).toEqual({ fingerprint: 'line-4-press', source: 'MINTMARK_FINGERPRINT' });
  });

  it('is the UID of the pod, the same for every restart of its containers', () => {
    const taken = { fingerprint: `pod-${UID}`, source: 'POD_UID' };
    expect(explicitFingerprint({ POD_UID: UID })).toEqual(taken);
    expect(explicitFingerprint({ POD_UID: UID.toUpperCase() })).toEqual(taken);
  });

  it('is none without either', () => {
    expect(explicitFingerprint({})).toBeNull();
  });

  it.each([
    [{ MINTMARK_FINGERPRINT: 'short' }, 'MINTMARK_FINGERPRINT'],
    [{ MINTMARK_FINGERPRINT: 'x'.repeat(257) }, 'MINTMARK_FINGERPRINT'],
    [{ MINTMARK_FINGERPRINT: 'with\na-line-break' }, 'MINTMARK_FINGERPRINT'],
    [{ MINTMARK_FINGERPRINT: '' }, 'MINTMARK_FINGERPRINT'],
    [{ POD_UID: '$(POD_UID)' }, 'POD_UID'],
  ])('is refused rather than replaced by the hardware when it cannot be one: %o', (env, named) => {
    expect(() => explicitFingerprint(env)).toThrow(named);
  });

  it('is what mintmark fingerprint prints, and says where it comes from', async () => {
    const env = { POD_UID: UID, KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    const told = await mintmark(['fingerprint', '--json'], { env });
    expect(jsonOf(told)).toMatchObject({
      fingerprint: `pod-${UID}`,
      source: 'POD_UID',
      platform: 'kubernetes',
      container: expect.arrayContaining(['KUBERNETES_SERVICE_HOST']) as unknown,
    });
    expect(told.stderr).toBe('');
    const wrong = await mintmark(['fingerprint', '--plain'], { env: { MINTMARK_FINGERPRINT: 'short' } });
    expect(wrong.code).toBe(EXIT.usage);
    expect(wrong.stdout).toBe('');
  });
});

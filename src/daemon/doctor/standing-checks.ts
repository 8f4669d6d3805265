import { createPublicKey, verify } from 'node:crypto';
import { listSigningKeys } from '../../custody/keyring-store.ts';
import type { SigningKey } from '../../custody/index.ts';
import { DAY, isoTime } from '../../lib/clock.ts';
import { readJobState } from '../../storage/job-state-store.ts';
import { openTrustedClock, systemBoot } from '../../storage/trusted-clock.ts';
import { allTenants } from './compared-rows-store.ts';
import type { Examined } from './examined.ts';
import { failed, first, ok, type Outcome, warning } from './finding.ts';

/** When the last verified backup was made. */
export function lookAtBackup({ reader, config, clock }: Examined): Outcome[] {
  const remedy = 'Run `mintmark backup create`, and keep the file on another machine.';
  const state = readJobState(reader, 'backup');
  if (state === undefined) return [warning('no backup was ever made', remedy)];
  const at = Number(state);
  const days = Math.floor((clock.wall() - at) / DAY);
  if (days <= config.backup.warnAfterDays) return [ok(`the last backup was made at ${isoTime(at)}`)];
  return [warning(`the last backup is ${String(days)} days old`, remedy)];
}

/** Whether the wall clock agrees with trusted time. */
export function lookAtClock({ reader, clock, config }: Examined): Outcome[] {
  const maxDowntimeMs = config.clock.maxDowntimeDays * DAY;
  const { state, reason, trusted, wall } = openTrustedClock(reader, {
    clock,
    boot: systemBoot,
    maxDowntimeMs,
  }).check();
  const said = `the wall clock says ${isoTime(wall)}, trusted time is ${isoTime(trusted)}`;
  if (state === 'ok') return [ok(said)];
  return [
    failed(
      `${said} (${String(reason)})`,
      'Set the clock right, then run `mintmark clock set-trusted --reason …`.',
    ),
  ];
}

interface Signed {
  readonly protected: string;
  readonly signature: string;
}

/** Every tenant's bundle is signed by a root of it, is the newest one, and will not be over soon. */
export function lookAtTrust({ reader, clock }: Examined): Outcome[] {
  const roots = listSigningKeys(reader).filter(({ purpose }) => purpose === 'root');
  const tenants = allTenants(reader).filter(({ status }) => status !== 'erased');
  const wrong = tenants.flatMap((tenant) => {
    const own = roots.filter(({ tenantId }) => tenantId === tenant.id);
    const problem = bundleProblem(tenant, own, clock.wall());
    return problem === null ? [] : [`${tenant.code}: ${problem}`];
  });
  if (wrong.length === 0) return [ok(`${String(tenants.length)} trust bundles are signed and fresh`)];
  return [failed(first(wrong), 'Publish the bundle anew, or put the database back from a backup.')];
}

function bundleProblem(
  { bundleSeq, trustBundle }: { readonly bundleSeq: number; readonly trustBundle: string | null },
  roots: readonly SigningKey[],
  now: number,
): string | null {
  if (trustBundle === null) return 'there is none';
  const { payload, signatures } = partsOf(trustBundle);
  if (!signatures.some((signed) => isSignedBy(roots, payload, signed)))
    return 'no root of the tenant has signed it';
  const body = jsonOf(payload);
  if (body['seq'] !== bundleSeq)
    return `it is number ${String(body['seq'])}, the row says ${String(bundleSeq)}`;
  return Date.parse(String(body['nextUpdate'])) > now
    ? null
    : `a next one was due at ${String(body['nextUpdate'])}`;
}

/** RFC 7515, section 7: compact, or the general JSON form that two roots sign. */
function partsOf(jws: string): { readonly payload: string; readonly signatures: readonly Signed[] } {
  if (jws.startsWith('{')) return JSON.parse(jws) as { payload: string; signatures: Signed[] }; // written by prepareDualJws
  const [header = '', payload = '', signature = ''] = jws.split('.');
  return { payload, signatures: [{ protected: header, signature }] };
}

function isSignedBy(roots: readonly SigningKey[], payload: string, signed: Signed): boolean {
  const { kid } = jsonOf(signed.protected);
  const root = roots.find((key) => key.kid === kid);
  if (root === undefined) return false;
  const key = createPublicKey({ key: root.publicKey, format: 'der', type: 'spki' });
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = Buffer.from(signed.signature, 'base64url');
  const message = Buffer.from(`${signed.protected}.${payload}`, 'ascii');
  return verify(digest, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function jsonOf(base64url: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8')) as Record<string, unknown>; // our own encoding, or a fault of it
}

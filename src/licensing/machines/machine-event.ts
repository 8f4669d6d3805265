import { isoTime } from '../../lib/clock.ts';
import type { MachineSnapshot } from './machine.ts';

/** Characters of the keyed fingerprint digest in events: enough to tell machines apart. */
const EVENT_DIGEST_BYTES = 16;

/** What events tell of a machine: ids and a digest, no device value, nothing personal. */
export function machineEvent(machine: MachineSnapshot) {
  return {
    id: machine.id,
    licenseId: machine.licenseId,
    fingerprintDigest: machine.fingerprintHash.subarray(0, EVENT_DIGEST_BYTES).toString('hex'),
    platform: machine.platform,
    status: machine.alive === 1 ? 'alive' : 'dead',
    createdAt: isoTime(machine.createdAt),
  };
}

import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { type Route, routeOf } from '../http/route.ts';
import type { Authority } from '../storage/entry.ts';
import type { SharesGiven } from './share-set.ts';
import { SLOT_SECRET, type SlotSecretText } from './slot-wire.ts';

/** Whether the keys are open. */
export interface SealStatus {
  readonly state: 'sealed' | 'unsealed';
  /** Shares that were given, while more are needed. */
  readonly shares?: SharesGiven | undefined;
}

/** Somebody who wants the keys opened. */
export interface UnsealAttempt {
  readonly secret: SlotSecretText;
  /** At the operator's socket; over HTTP it is another matter. */
  readonly local: boolean;
}

/** Opens and closes the keys of an appliance that runs. */
export interface SealControl {
  status(): SealStatus;
  /** @throws Fault CONFLICT while it is being sealed or unsealed; DISK_FULL */
  seal(authority: Authority): Promise<SealStatus>;
  /** @throws Fault SLOT_SECRET_WRONG, KEY_STORAGE, CONFLICT; over HTTP SEALED and RATE_LIMITED */
  unseal(attempt: UnsealAttempt): Promise<SealStatus>;
}

/** Whoever there is. */
export const ANYBODY: Demand = { scope: null, also: ['anonymous', 'license', 'publishable-key'] };

const route = routeOf<Permit, Demand>();
const shares = z.strictObject({ given: z.int(), needed: z.int() });
const status = z.strictObject({
  data: z.strictObject({ state: z.enum(['sealed', 'unsealed']), shares: shares.optional() }),
});
const SECRET_BYTES = 16 * 1024;

/** Whether the keys are open, opening them, and wiping them: the same routes, sealed or not. */
export function sealRoutes(control: SealControl): Route<Permit, Demand>[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/seal',
      tag: 'system',
      demand: ANYBODY,
      limit: { class: 'health' },
      summary: 'Whether the appliance is sealed',
      answers: { 200: status },
      handle: () => ({ status: 200, body: { data: control.status() } }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/unseal',
      tag: 'system',
      demand: ANYBODY,
      limit: { class: 'public' },
      summary: 'Open the keys with the secret of a slot; over HTTP only when http.unseal is set',
      maxBodyBytes: SECRET_BYTES,
      body: z.strictObject({ secret: SLOT_SECRET }),
      answers: { 200: status },
      handle: async ({ permit, body: { secret } }) => {
        const local = permit.actor.kind === 'operator';
        return { status: 200, body: { data: await control.unseal({ secret, local }) } };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/system/seal',
      tag: 'operator',
      demand: { scope: null, also: [], operatorOnly: true },
      summary: 'Wipe the keys from memory, and start sealed until somebody unseals by hand',
      answers: { 200: status },
      handle: async ({ permit }) => ({ status: 200, body: { data: await control.seal(permit) } }),
    }),
  ];
}

import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { type Route, routeOf } from '../http/route.ts';
import type { Parts } from './parts.ts';
import { rekey } from './rekey.ts';
import { SLOT_SECRET } from './slot-wire.ts';
import { addSlot, removeSlot, testSlot } from './slots.ts';

const route = routeOf<Permit, Demand>();
const common = { tag: 'operator', demand: { scope: null, also: [], operatorOnly: true } } as const;

const slotName = z.string().min(1).max(64);
const params = z.strictObject({ name: slotName });
const slotAnswer = z.looseObject({ name: z.string(), damaged: z.boolean() });
const answers = { 200: z.strictObject({ data: slotAnswer }) };

const namedSecrets = z
  .array(z.strictObject({ name: slotName, secret: SLOT_SECRET }))
  .max(32)
  .default([]);

/** `/api/v1/system/slots`, `/api/v1/system/rekey`: what opens the appliance, and what is opened. */
export function slotRoutes(parts: Parts): Route<Permit, Demand>[] {
  return [
    route({
      ...common,
      method: 'GET',
      path: '/api/v1/system/slots',
      summary: 'List the slots that open the keys of the appliance',
      answers: { 200: z.strictObject({ data: z.array(slotAnswer) }) },
      handle: () => ({ status: 200, body: { data: parts.custody.listSlots() } }),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v1/system/slots',
      summary: 'Add a slot',
      body: z.strictObject({ name: slotName.optional(), secret: SLOT_SECRET }),
      answers: { 201: z.strictObject({ data: slotAnswer }) },
      handle: async ({ permit, body }) => ({
        status: 201,
        body: { data: await addSlot(parts, permit, body) },
      }),
    }),
    route({
      ...common,
      method: 'DELETE',
      path: '/api/v1/system/slots/{name}',
      summary: 'Remove a slot; the last one that recovers stays',
      params,
      answers,
      handle: async ({ permit, params: { name } }) => ({
        status: 200,
        body: { data: await removeSlot(parts, permit, name) },
      }),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v1/system/slots/{name}/test',
      summary: 'Prove that a secret opens a slot',
      params,
      body: z.strictObject({ secret: SLOT_SECRET }),
      answers,
      handle: async ({ permit, params: { name }, body: { secret } }) => ({
        status: 200,
        body: { data: await testSlot(parts, permit, { name, secret }) },
      }),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v1/system/rekey',
      summary: 'Replace the key-encryption key; each slot stays with its secret, or goes',
      body: z.strictObject({
        keep: namedSecrets,
        drop: z.array(slotName).max(32).default([]),
        add: namedSecrets,
      }),
      answers: {
        200: z.strictObject({ data: z.strictObject({ slots: z.array(z.string()), steps: z.int() }) }),
      },
      handle: async ({ permit, body }) => ({ status: 200, body: { data: await rekey(parts, permit, body) } }),
    }),
  ];
}

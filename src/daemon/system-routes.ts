import { isAbsolute } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { Fault } from '../faults.ts';
import { type Route, routeOf } from '../http/route.ts';
import { exportLedger } from '../ledger/index.ts';
import { isoTime } from '../lib/clock.ts';
import { setClockTrusted } from '../storage/set-clock-trusted.ts';
import { readerOf } from '../storage/tx.ts';
import { createBackup } from './backup.ts';
import { examine } from './doctor/doctor.ts';
import type { Parts } from './parts.ts';
import { readStatus } from './status.ts';

const route = routeOf<Permit, Demand>();
const OPERATOR: Demand = { scope: null, also: [], operatorOnly: true };
const common = { tag: 'operator', demand: OPERATOR } as const;
const anything = z.looseObject({});
/** On the appliance: what it is relative to would be the service's own affair. */
const serverPath = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => isAbsolute(path) && !path.includes('\0'), 'must be an absolute path on the appliance');

/** `/api/v1/system/…`: the appliance itself, for whoever may open the operator socket. */
export function systemRoutes(parts: Parts): Route<Permit, Demand>[] {
  return [
    statusRoute(parts),
    doctorRoute(parts),
    clockRoute(parts),
    auditExportRoute(parts),
    backupRoute(parts),
  ];
}

function statusRoute(parts: Parts): Route<Permit, Demand> {
  return route({
    ...common,
    method: 'GET',
    path: '/api/v1/system/status',
    summary: 'State of the appliance, and why it is not ready',
    answers: { 200: anything },
    handle: async () => ({ status: 200, body: { data: await readStatus(parts) } }),
  });
}

function doctorRoute(parts: Parts): Route<Permit, Demand> {
  return route({
    ...common,
    method: 'POST',
    path: '/api/v1/system/doctor',
    summary: 'Look at everything, and say what was found',
    body: z.strictObject({ deep: z.boolean().default(false) }),
    answers: { 200: anything },
    handle: async ({ body }) => {
      const { config, custody, clock, work, directory } = parts;
      const seen = { config, custody, clock, reader: work.read, paths: directory.paths };
      return { status: 200, body: { data: await examine({ ...seen, pause: () => nextTurn() }, body) } };
    },
  });
}

function clockRoute(parts: Parts): Route<Permit, Demand> {
  return route({
    ...common,
    method: 'POST',
    path: '/api/v1/system/clock/set-trusted',
    summary: 'Take the wall clock as right',
    body: z.strictObject({
      reason: z.string().min(1).max(1000),
      lowerByMoreThanADay: z.boolean().default(false),
    }),
    answers: { 200: anything },
    handle: async ({ permit, body }) => {
      const { before, after, reason } = await setClockTrusted(
        { work: parts.work, clock: parts.time },
        permit,
        body,
      );
      return {
        status: 200,
        body: { data: { before: isoTime(before), after: isoTime(after), suspect: reason } },
      };
    },
  });
}

function auditExportRoute(parts: Parts): Route<Permit, Demand> {
  return route({
    ...common,
    method: 'POST',
    path: '/api/v1/system/audit-exports',
    summary: 'Export the ledger into an empty directory of the appliance',
    body: z.strictObject({ directory: serverPath, realmOnly: z.boolean().default(false) }),
    answers: { 200: anything },
    handle: async ({ permit, body }) => {
      // Everybody's entries are not what somebody wants who asks for his own.
      if (body.realmOnly && permit.realm === null) {
        throw new Fault(
          'REALM_REQUIRED',
          'no tenant is named; send the header X-Mintmark-Tenant with its code',
        );
      }
      // What is exported is signed first, so that the export vouches for its last entry too.
      await parts.checkpointer.sign();
      const deps = { reader: readerOf(parts.directory.database), origin: parts.identity.origin };
      const realm = body.realmOnly ? permit.realm : null;
      const data = await exportLedger(deps, {
        directory: body.directory,
        ...(realm === null ? {} : { realm }),
      });
      return { status: 200, body: { data } };
    },
  });
}

function backupRoute(parts: Parts): Route<Permit, Demand> {
  return route({
    ...common,
    method: 'POST',
    path: '/api/v1/system/backups',
    summary: 'Make a sealed backup and verify it',
    body: z.strictObject({ path: serverPath }),
    answers: { 200: anything },
    handle: async ({ permit, body }) => ({
      status: 200,
      body: { data: await createBackup(parts, permit, body.path) },
    }),
  });
}

import type { Dossier, FileRow } from './license-dossier.ts';
import { minuteOf } from './page.ts';

/** A seat that nobody sits on: its machine is gone, and a file still runs there. */
export interface HeldSeat {
  readonly machineId: string;
  /** ISO 8601. */
  readonly until: string;
}

/** Until when the newest file of each machine runs; files of no machine are left out. */
function fileEnds({ files, explanation }: Dossier): ReadonlyMap<string, string> {
  const ends = new Map<string, string>();
  const rows: readonly FileRow[] = 'refused' in files ? [] : files.rows;
  for (const { machineId, expiresAt } of rows) {
    if (machineId === null || expiresAt <= explanation.checkedAt) continue;
    if (expiresAt > (ends.get(machineId) ?? '')) ends.set(machineId, expiresAt);
  }
  return ends;
}

/** Seats of machines that are gone, the next one to be free first; none where the lists do not show them all. */
export function heldSeats(dossier: Dossier): HeldSeat[] {
  const { machines, explanation } = dossier;
  if ('refused' in machines || machines.more) return [];
  const living = new Set(machines.rows.map(({ id }) => id));
  const gone = [...fileEnds(dossier)].filter(([machineId]) => !living.has(machineId));
  const held = gone.map(([machineId, until]) => ({ machineId, until }));
  const most = Math.max(0, explanation.limits.seats - living.size);
  return held.toSorted((a, b) => a.until.localeCompare(b.until)).slice(0, most);
}

/** What frees a seat of a licence that has none: first a machine whose seat is free at once, never one that gains nothing. */
export function seatSteps(dossier: Dossier): string[] {
  const { machines, explanation } = dossier;
  const { seats, maxMachines } = explanation.limits;
  if (maxMachines === null || seats < maxMachines) return [];
  if ('refused' in machines) return ['mintmark machine delete <id>'];
  const ends = fileEnds(dossier);
  // Newest first: the last one is the oldest.
  const free = machines.rows.findLast(({ id }) => !ends.has(id));
  if (free !== undefined) return [`mintmark machine delete ${free.id}`];
  const [next] = heldSeats(dossier);
  if (next !== undefined) return [`(a seat is free at ${minuteOf(next.until)} UTC, when a file ends)`];
  const [soonest] = machines.rows
    .map(({ id }) => ({ id, until: ends.get(id) ?? '' }))
    .toSorted((a, b) => a.until.localeCompare(b.until));
  if (soonest === undefined) return [];
  return [`mintmark machine delete ${soonest.id}  (free at ${minuteOf(soonest.until)}: a file)`];
}

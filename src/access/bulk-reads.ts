import { append } from '../ledger/append.ts';
import { type EpochMs, HOUR, isoTime } from '../lib/clock.ts';
import { newId } from '../lib/ulid.ts';
import type { Random } from '../lib/random.ts';
import type { Actor } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import type { Permit } from './permit.ts';

/** Name of the job that writes what came together. */
export const BULK_READS_JOB = 'bulk-reads';

/** Reading more rows than this within an hour is told in the ledger. */
const ROWS = 100;
/** Callers counted at a time: keys and operators, of which there are never nearly as many. */
const CALLERS = 10_000;

/** What can be read in bulk. */
export type BulkKind = 'licenses' | 'machines';

/** What one caller has read since the first of it. */
interface Reading {
  readonly actor: Actor;
  readonly realm: RealmId;
  readonly since: EpochMs;
  readonly rows: Record<BulkKind, number>;
}

/** What telling of bulk reads needs. */
export interface BulkReadsDeps {
  readonly work: Pick<UnitOfWork, 'run'>;
  readonly random: Random;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/**
 * Counts what each caller reads in an hour, in memory; who read more than 100 rows leaves one ledger entry with the
 * counts when his hour is over, or the daemon stops. The holder of a licence reads what is his, and is not counted.
 */
export class BulkReads {
  readonly #deps: BulkReadsDeps;
  readonly #readings = new Map<string, Reading>();

  constructor(deps: BulkReadsDeps) {
    this.#deps = deps;
  }

  /** Counts rows that a caller was shown. */
  note({ principal }: Permit, kind: BulkKind, rows: number): void {
    const { actor, realm } = principal;
    if (rows === 0 || realm === null) return;
    if (principal.kind !== 'secret-key' && principal.kind !== 'operator') return;
    const name = `${String(realm)} ${actor.kind}:${actor.id}`;
    const known = this.#readings.get(name);
    if (known !== undefined) known.rows[kind] += rows;
    else if (this.#readings.size < CALLERS) {
      const first = { licenses: 0, machines: 0, [kind]: rows };
      this.#readings.set(name, { actor, realm, since: this.#deps.time.now(), rows: first });
    }
  }

  /**
   * Writes an entry for each caller whose hour is over, or for all at the end.
   * @throws Fault DISK_FULL, OVERLOADED: what was not written is kept for the next time
   */
  async record({ last }: { readonly last: boolean }): Promise<void> {
    const over = this.#deps.time.now() - HOUR;
    for (const [name, reading] of this.#readings) {
      if (!last && reading.since > over) continue;
      // Taken out first: what is read meanwhile begins an hour of its own.
      this.#readings.delete(name);
      if (total(reading) <= ROWS) continue;
      await this.#tell(reading).catch((error: unknown) => {
        this.#readings.set(name, reading);
        throw error;
      });
    }
  }

  async #tell({ actor, realm, since, rows }: Reading): Promise<void> {
    const { work, random, time } = this.#deps;
    const requestId = newId('request', time.now(), random);
    await work.run({ actor, requestId, realm }, (tx) => {
      const target = { kind: actor.kind, id: actor.id };
      append(tx, { realm, action: 'access.bulk_read', target, facts: { ...rows, since: isoTime(since) } });
    });
  }
}

function total({ rows }: Reading): number {
  return rows.licenses + rows.machines;
}

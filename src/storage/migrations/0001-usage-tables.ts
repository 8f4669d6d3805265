import { OWNED } from './0001-licensing-tables.ts';

/** Who asked for what and when, and what each caller has stored for its repeated requests. */
export const USAGE_TABLES = [
  // What a principal has in idempotency, and under the empty name what the whole realm has: bounds of both.
  `CREATE TABLE idempotency_usage (
    ${OWNED},
    principal TEXT NOT NULL,
    answers INTEGER NOT NULL DEFAULT 0 CHECK (answers >= 0),
    bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    PRIMARY KEY (realm_id, principal)
  ) STRICT, WITHOUT ROWID`,
  // Equal requests of one second are one row. Rows are written in the order of time: seq orders by it.
  `CREATE TABLE usage_log (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    principal TEXT NOT NULL,
    at INTEGER NOT NULL,
    route TEXT NOT NULL,
    status INTEGER NOT NULL,
    count INTEGER NOT NULL,
    address BLOB NOT NULL,
    subject BLOB,
    UNIQUE (realm_id, seq)
  ) STRICT`,
  'CREATE INDEX usage_log_principal ON usage_log (realm_id, principal, seq)',
  'CREATE INDEX usage_log_subject ON usage_log (realm_id, subject, seq) WHERE subject IS NOT NULL',
  // Hours since the epoch: requests of nobody in particular, and what a caller did beyond its rows of a day.
  `CREATE TABLE usage_totals (
    ${OWNED},
    hour INTEGER NOT NULL,
    principal TEXT NOT NULL,
    route TEXT NOT NULL,
    status INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (realm_id, hour, principal, route, status)
  ) STRICT, WITHOUT ROWID`,
];

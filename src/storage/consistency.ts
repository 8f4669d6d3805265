import type { Database } from './database.ts';
import { KEPT_TABLES } from './tables.ts';

/** What must never be found, as a query that finds it. */
interface ConsistencyRule {
  readonly what: string;
  readonly sql: string;
}

/**
 * What is true of every database at every moment, whatever happened: each rule finds what breaks it. Columns that no entry
 * of the ledger covers, because they follow from rows that one does cover (counts, index rows, directories), are held by
 * these. Every test that writes ends with them; `mintmark doctor` asks them of a live database.
 */
const CONSISTENCY_RULES: readonly ConsistencyRule[] = [
  {
    what: 'a licence whose seats are not the number of its living machines and of those that hold a seat beyond',
    sql: `SELECT s.realm_id, s.license_id, s.seats, count(m.seq) AS machines
          FROM license_seats s
          LEFT JOIN machines m
            ON m.realm_id = s.realm_id AND m.license_id = s.license_id
            AND (m.deleted_at IS NULL OR m.seat_held_until IS NOT NULL)
          GROUP BY s.realm_id, s.license_id HAVING s.seats <> count(m.seq)`,
  },
  {
    what: 'a user of a licence whose seats are not the number of his machines, living or holding a seat beyond',
    sql: `SELECT coalesce(c.realm_id, s.realm_id) AS realm_id, coalesce(c.license_id, s.license_id) AS license_id,
            s.seats, c.machines
          FROM license_user_seats s
          FULL JOIN (SELECT realm_id, license_id, user_index, count(*) AS machines FROM machines
            WHERE user_index IS NOT NULL AND (deleted_at IS NULL OR seat_held_until IS NOT NULL)
            GROUP BY realm_id, license_id, user_index) c
            ON c.realm_id = s.realm_id AND c.license_id = s.license_id AND c.user_index = s.user_index
          WHERE s.seats IS NOT c.machines`,
  },
  {
    what: 'a licence whose count of fingerprints is not the number of those it has had',
    sql: `SELECT s.realm_id, s.license_id, s.fingerprints FROM license_seats s
          WHERE s.fingerprints <> (SELECT count(*) FROM license_fingerprints f
            WHERE f.realm_id = s.realm_id AND f.license_id = s.license_id)`,
  },
  {
    what: 'a living machine whose fingerprint its licence does not remember',
    sql: `SELECT m.realm_id, m.id FROM machines m
          LEFT JOIN license_fingerprints f ON f.realm_id = m.realm_id AND f.license_id = m.license_id
            AND f.fingerprint_hash = m.fingerprint_hash
          WHERE m.deleted_at IS NULL AND f.license_id IS NULL`,
  },
  {
    what: 'a component or a usage row that names another licence than its machine, or a component found when it is gone',
    sql: `SELECT m.realm_id, m.id FROM machines m
          LEFT JOIN machine_components c ON c.realm_id = m.realm_id AND c.machine_id = m.id
          LEFT JOIN machine_usage u ON u.realm_id = m.realm_id AND u.machine_id = m.id
          WHERE c.license_id <> m.license_id OR u.license_id <> m.license_id
            OR c.living <> (m.deleted_at IS NULL)`,
  },
  {
    what: 'a living machine of a licence that counts no seats',
    sql: `SELECT m.realm_id, m.id FROM machines m
          LEFT JOIN license_seats s ON s.realm_id = m.realm_id AND s.license_id = m.license_id
          WHERE m.deleted_at IS NULL AND s.license_id IS NULL`,
  },
  {
    what: 'a living machine of a deleted licence',
    sql: `SELECT m.realm_id, m.id FROM machines m
          JOIN licenses l ON l.realm_id = m.realm_id AND l.id = m.license_id
          WHERE m.deleted_at IS NULL AND l.deleted_at IS NOT NULL`,
  },
  {
    what: 'a living policy of a deleted product',
    sql: `SELECT p.realm_id, p.id FROM policies p
          JOIN products d ON d.realm_id = p.realm_id AND d.id = p.product_id
          WHERE p.deleted_at IS NULL AND d.deleted_at IS NOT NULL`,
  },
  {
    what: 'a living licence of a deleted policy or product',
    sql: `SELECT l.realm_id, l.id FROM licenses l
          JOIN policies p ON p.realm_id = l.realm_id AND p.id = l.policy_id
          JOIN products d ON d.realm_id = l.realm_id AND d.id = l.product_id
          WHERE l.deleted_at IS NULL AND (p.deleted_at IS NOT NULL OR d.deleted_at IS NOT NULL)`,
  },
  {
    what: 'a licence whose policy belongs to another product',
    sql: `SELECT l.realm_id, l.id FROM licenses l
          JOIN policies p ON p.realm_id = l.realm_id AND p.id = l.policy_id
          WHERE p.product_id <> l.product_id`,
  },
  {
    what: 'a licence whose term waits and has an end already',
    sql: 'SELECT realm_id, id FROM licenses WHERE starts_on IS NOT NULL AND expires_at IS NOT NULL',
  },
  {
    what: 'an expired licence that is not found by when it expired, or another that is',
    sql: `SELECT realm_id, id FROM licenses
          WHERE lapsed_at IS NOT (CASE WHEN status = 'expired' THEN expires_at END)`,
  },
  {
    what: 'a notice of an expiry booked for a licence that is not active, or at no time of a notice',
    sql: `SELECT u.realm_id, u.license_id FROM license_usage u
          JOIN licenses l ON l.realm_id = u.realm_id AND l.id = u.license_id
          WHERE u.notice_due IS NOT NULL AND (l.status <> 'active' OR l.deleted_at IS NOT NULL
            OR l.expires_at IS NULL OR (l.expires_at - u.notice_due) NOT IN (30*86400000, 14*86400000, 7*86400000, 86400000))`,
  },
  {
    what: 'an index row of the ledger for an entry of another realm, or of none',
    sql: `SELECT s.realm_id, s.subject, s.position FROM ledger_subjects s
          LEFT JOIN ledger_entries e ON e.position = s.position AND coalesce(e.realm_id, 0) = s.realm_id
          WHERE e.position IS NULL`,
  },
  {
    what: 'a licence that its key does not lead to',
    sql: `SELECT l.realm_id, l.id FROM licenses l
          LEFT JOIN license_directory d ON d.key_hash = l.key_hash AND d.realm_id = l.realm_id
          WHERE d.license_id IS NOT l.id`,
  },
  {
    what: 'a key that leads to no licence',
    sql: `SELECT d.realm_id, d.license_id FROM license_directory d
          LEFT JOIN licenses l ON l.realm_id = d.realm_id AND l.id = d.license_id
          WHERE l.id IS NULL AND d.purged_at IS NULL`,
  },
  {
    what: 'a reserved key whose licence is not emptied',
    sql: `SELECT d.realm_id, d.license_id FROM license_directory d
          JOIN licenses l ON l.realm_id = d.realm_id AND l.id = d.license_id
          WHERE d.purged_at IS NOT NULL AND l.kept_until IS NULL`,
  },
  {
    what: 'a public id that leads to no API key',
    sql: `SELECT d.realm_id, d.api_key_id FROM api_key_directory d
          LEFT JOIN api_keys k ON k.realm_id = d.realm_id AND k.id = d.api_key_id WHERE k.id IS NULL`,
  },
  {
    what: 'an issued file whose machine is of another licence',
    sql: `SELECT f.realm_id, f.id FROM issued_files f
          JOIN machines m ON m.realm_id = f.realm_id AND m.id = f.machine_id WHERE m.license_id <> f.license_id`,
  },
  {
    what: 'an issued file whose machine does not exist',
    sql: `SELECT f.realm_id, f.id FROM issued_files f
          LEFT JOIN machines m ON m.realm_id = f.realm_id AND m.id = f.machine_id
          WHERE f.machine_id IS NOT NULL AND m.id IS NULL`,
  },
  {
    what: 'a number of an issued file given twice in a branch',
    sql: 'SELECT branch, branch_seq FROM issued_files GROUP BY branch, branch_seq HAVING count(*) > 1',
  },
  {
    what: 'a number of an issued file above what was reserved',
    sql: `SELECT f.id, f.branch_seq FROM issued_files f
          JOIN job_state j ON j.job = 'file-sequence:' || f.branch WHERE f.branch_seq > CAST(j.state AS INTEGER)`,
  },
  {
    what: 'an event that is no JSON object, or whose id differs from its row',
    sql: `SELECT id FROM events
          WHERE NOT json_valid(CAST(body AS TEXT)) OR json_extract(CAST(body AS TEXT), '$.id') IS NOT id`,
  },
  {
    what: 'a gap in the ledger',
    sql: `SELECT count(*) AS entries, max(position) AS last FROM ledger_entries
          HAVING count(*) > 0 AND (min(position) <> 0 OR max(position) <> count(*) - 1)`,
  },
  {
    what: 'a private part of an entry that does not exist',
    sql: `SELECT p.position FROM ledger_private p
          LEFT JOIN ledger_entries e ON e.position = p.position WHERE e.position IS NULL`,
  },
  {
    what: 'a checkpoint of more entries than there are',
    sql: 'SELECT size FROM ledger_checkpoints WHERE size > (SELECT count(*) FROM ledger_entries)',
  },
  {
    what: 'policy settings that are no JSON object',
    sql: "SELECT realm_id, id FROM policies WHERE NOT json_valid(settings) OR json_type(settings) <> 'object'",
  },
  {
    what: 'two active signing keys for one purpose in one place',
    sql: `SELECT purpose, tenant_id, realm_id FROM signing_keys
          WHERE state = 'active' AND purpose <> 'license'
          GROUP BY purpose, tenant_id, realm_id HAVING count(*) > 1`,
  },
  {
    what: 'a realm counter that is not the number of living rows',
    sql: `SELECT c.realm_id, c.licenses, c.machines FROM realm_counters c
          WHERE c.licenses <> (SELECT count(*) FROM licenses l WHERE l.realm_id = c.realm_id AND l.deleted_at IS NULL)
             OR c.machines <> (SELECT count(*) FROM machines m WHERE m.realm_id = c.realm_id AND m.deleted_at IS NULL)`,
  },
  {
    what: 'a count of records that is not the number of rows that are kept',
    sql: `SELECT r.realm_id, coalesce(c.records, 0) AS records FROM realms r
          LEFT JOIN realm_counters c ON c.realm_id = r.realm_id
          WHERE NOT EXISTS (SELECT 1 FROM tenants g WHERE g.id = r.tenant_id AND g.status = 'erased')
            AND coalesce(c.records, 0) <> (SELECT count(*) FROM ledger_entries e WHERE e.realm_id = r.realm_id)
            ${[...KEPT_TABLES].map((table) => `+ (SELECT count(*) FROM ${table} t WHERE t.realm_id = r.realm_id)`).join(' ')}`,
  },
  {
    what: 'a realm counter of a state that is not the number of living rows in it',
    sql: `SELECT c.realm_id, c.suspended, c.expired, c.revoked, c.banned, c.dead FROM realm_counters c
          WHERE EXISTS (
            SELECT 1 FROM (SELECT 'suspended' AS status, c.suspended AS counted UNION ALL SELECT 'expired', c.expired
              UNION ALL SELECT 'revoked', c.revoked UNION ALL SELECT 'banned', c.banned) s
            WHERE s.counted <> (SELECT count(*) FROM licenses l
              WHERE l.realm_id = c.realm_id AND l.status = s.status AND l.deleted_at IS NULL))
          OR c.dead <> (SELECT count(*) FROM machines m
            WHERE m.realm_id = c.realm_id AND m.alive = 0 AND m.deleted_at IS NULL)`,
  },
  {
    what: 'seats of a product that are not those of its licences',
    sql: `SELECT l.realm_id, l.product_id, sum(s.seats) AS seats FROM licenses l
          JOIN license_seats s ON s.realm_id = l.realm_id AND s.license_id = l.id
          LEFT JOIN product_seats p ON p.realm_id = l.realm_id AND p.product_id = l.product_id
          GROUP BY l.realm_id, l.product_id HAVING sum(s.seats) <> coalesce(max(p.seats), 0)`,
  },
  {
    // What happened stays counted when a purge has taken the rows away.
    what: 'a count of activations or files of a day that is not the number of rows of that day',
    sql: `SELECT * FROM (
            SELECT d.realm_id, d.kind, d.day, d.count, CASE d.kind
              WHEN 'activation' THEN (SELECT count(*) FROM machines m
                WHERE m.realm_id = d.realm_id AND m.created_at / 86400000 = d.day)
              WHEN 'file' THEN (SELECT count(*) FROM issued_files f
                WHERE f.realm_id = d.realm_id AND f.expires_at / 86400000 = d.day) END AS found
            FROM day_counts d WHERE d.kind IN ('activation', 'file'))
          WHERE count < found OR (count > found AND NOT EXISTS (SELECT 1 FROM ledger_entries e
            WHERE json_extract(CAST(e.bytes AS TEXT), '$.action') = 'retention.purged'))`,
  },
  {
    what: 'a machine that is counted for another product than its licence is of',
    sql: `SELECT m.realm_id, m.id FROM machines m
          JOIN licenses l ON l.realm_id = m.realm_id AND l.id = m.license_id WHERE m.product_id <> l.product_id`,
  },
  {
    what: 'an emptied licence or machine that was not deleted',
    sql: `SELECT realm_id, id FROM licenses WHERE kept_until IS NOT NULL AND deleted_at IS NULL
          UNION ALL SELECT realm_id, id FROM machines WHERE purged_at IS NOT NULL AND deleted_at IS NULL`,
  },
];

/** Rows shown of what breaks a rule. */
const SHOWN = 3;

/** The rules that a database breaks, with some of the rows. Reads whole tables: not in the thread that serves. */
export function brokenRules({ native }: Database): { readonly what: string; readonly rows: unknown[] }[] {
  return CONSISTENCY_RULES.map(({ what, sql }) => ({
    what,
    rows: native.prepare(`${sql} LIMIT ${String(SHOWN)}`).all(),
  })).filter(({ rows }) => rows.length > 0);
}

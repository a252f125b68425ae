//! What is asked of the database, in SQL that others than PostgreSQL speak too: no locks beside those of rows, no sequences, no
//! extensions. The trees are rows of one table.

/// What makes the tables, for `hookwheel schema` and for a node that may.
pub const SCHEMA: &str = "\
-- Hookwheel's tables. A node makes them by itself where its user may; otherwise run this once, and grant that user
-- SELECT, INSERT, UPDATE and DELETE on them.
CREATE TABLE IF NOT EXISTS hookwheel_rows (
    shard smallint NOT NULL,
    tree smallint NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (shard, tree, key)
);
CREATE TABLE IF NOT EXISTS hookwheel_nodes (
    node text PRIMARY KEY,
    incarnation bigint NOT NULL,
    group_no bigint NOT NULL,
    until timestamptz NOT NULL,
    dead boolean NOT NULL,
    address text NOT NULL DEFAULT '',
    seen timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS hookwheel_shards (
    shard smallint PRIMARY KEY,
    node text NOT NULL
);
CREATE TABLE IF NOT EXISTS hookwheel_schema (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL
);
INSERT INTO hookwheel_schema (version) VALUES (1) ON CONFLICT (only_row) DO NOTHING;
";

/// What only PostgreSQL knows: what is stored is pressed or sealed already, and what goes goes fast.
pub const TUNING: &str = "\
ALTER TABLE hookwheel_rows ALTER COLUMN value SET STORAGE EXTERNAL;
ALTER TABLE hookwheel_rows SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1);
ALTER TABLE hookwheel_nodes SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
";

/// The version of [`SCHEMA`].
pub const VERSION: i32 = 1;

/// Whether this user may make the tables.
pub const MAY_MAKE: &str = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";

/// Which schema is there.
pub const SCHEMA_VERSION: &str = "SELECT version FROM hookwheel_schema";

/// A group: nothing of it is there unless the node owns what it writes, and wrote the group before. It renews the lease.
/// Node, incarnation, number of the group, milliseconds; then of what is put: shards, trees, keys, values; of what goes: shards, trees, keys.
pub const WRITE: &str = "\
WITH fence AS (
    UPDATE hookwheel_nodes SET group_no = $3::bigint, until = now() + $4::bigint * interval '1 millisecond'
    WHERE node = $1 AND incarnation = $2 AND group_no = $3::bigint - 1 AND NOT dead AND until > now() RETURNING 1
), put AS (
    INSERT INTO hookwheel_rows (shard, tree, key, value)
    SELECT s, t, k, v FROM unnest($5::smallint[], $6::smallint[], $7::bytea[], $8::bytea[]) AS put (s, t, k, v)
    WHERE EXISTS (SELECT 1 FROM fence)
    ON CONFLICT (shard, tree, key) DO UPDATE SET value = excluded.value
), gone AS (
    DELETE FROM hookwheel_rows AS row
    USING unnest($9::smallint[], $10::smallint[], $11::bytea[]) AS gone (s, t, k)
    WHERE row.shard = gone.s AND row.tree = gone.t AND row.key = gone.k AND EXISTS (SELECT 1 FROM fence)
)
SELECT count(*) FROM fence";

/// The same of a group that nobody waits for: its transaction, and no other, is not waited for until it is on the disk. It is there once a later
/// one is that was waited for, since the log is one. It stands in the statement, so that it holds behind a pooler too.
pub fn write_later() -> String {
    WRITE.replace(
        "SELECT count(*) FROM fence",
        "SELECT count(*), set_config('synchronous_commit', 'off', true) FROM fence",
    )
}

/// Renews the lease without a group. Node, incarnation, milliseconds.
pub const RENEW: &str = "\
UPDATE hookwheel_nodes SET until = now() + $3::bigint * interval '1 millisecond'
WHERE node = $1 AND incarnation = $2 AND NOT dead AND until > now()";

/// Gives up what this node owns: others need not wait. Node, incarnation.
pub const LEAVE: &str = "UPDATE hookwheel_nodes SET dead = true WHERE node = $1 AND incarnation = $2";

/// A node that was never there, as one that is dead.
pub const ENTER: &str = "\
INSERT INTO hookwheel_nodes (node, incarnation, group_no, until, dead) VALUES ($1, 0, 0, now(), true)
ON CONFLICT (node) DO NOTHING";

/// Nobody has the shard yet: it is this node's.
pub const ENTER_SHARD: &str =
    "INSERT INTO hookwheel_shards (shard, node) VALUES ($2, $1) ON CONFLICT (shard) DO NOTHING";

/// Who has a shard, how long yet, and where it is found by other nodes, without a word to anybody. Shard.
pub const PEEK: &str = "\
SELECT node, CASE WHEN dead THEN 0 ELSE (extract(epoch FROM until - clock_timestamp()) * 1000)::bigint END, address
FROM hookwheel_shards JOIN hookwheel_nodes USING (node) WHERE shard = $1";

/// Another node that was there a moment ago: it looks several times in a second whether there is something to take. Node.
pub const ANOTHER: &str = "\
SELECT node FROM hookwheel_nodes WHERE node <> $1 AND seen > now() - interval '3 seconds' ORDER BY seen DESC LIMIT 1";

/// Who has a shard; nobody else moves it meanwhile.
pub const OWNER: &str = "SELECT node FROM hookwheel_shards WHERE shard = $1 FOR UPDATE";

/// Waits for what a node writes right now, and lets it write nothing more until the end.
pub const LOCK: &str = "SELECT 1 FROM hookwheel_nodes WHERE node = $1 FOR UPDATE";

/// The milliseconds for which a node is alive yet, by the database's clock.
pub const LEFT: &str = "\
SELECT CASE WHEN dead THEN 0 ELSE (extract(epoch FROM until - clock_timestamp()) * 1000)::bigint END
FROM hookwheel_nodes WHERE node = $1";

/// The incarnation that a node was last, and the last group that it wrote.
pub const LAST_GROUP: &str = "SELECT incarnation, group_no FROM hookwheel_nodes WHERE node = $1";

/// A node is dead: what it writes from now on is not there.
pub const BURY: &str = "UPDATE hookwheel_nodes SET dead = true WHERE node = $1";

/// A shard moves. Node, shard.
pub const MOVE: &str = "UPDATE hookwheel_shards SET node = $1 WHERE shard = $2";

/// A node stands by, and is found there; not if another process has its name and owns something. Node, address.
pub const STAND_BY: &str = "\
INSERT INTO hookwheel_nodes (node, incarnation, group_no, until, dead, address, seen)
VALUES ($1, 0, 0, now(), true, $2, now())
ON CONFLICT (node) DO UPDATE SET address = excluded.address, seen = excluded.seen
    WHERE hookwheel_nodes.dead OR hookwheel_nodes.until < now()";

/// A node begins anew. Node, milliseconds, where other nodes find it. Gives its incarnation, its last group, and what the database's clock
/// shows: milliseconds since 1970.
pub const BEGIN_ANEW: &str = "\
UPDATE hookwheel_nodes
SET incarnation = incarnation + 1, dead = false, until = clock_timestamp() + $2::bigint * interval '1 millisecond',
    address = $3, seen = now()
WHERE node = $1 RETURNING incarnation, group_no, (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Forgets nodes that have owned nothing for a week and have not been there either.
pub const FORGET: &str = "\
DELETE FROM hookwheel_nodes WHERE dead AND seen < now() - interval '7 days' AND until < now() - interval '7 days'
    AND node NOT IN (SELECT node FROM hookwheel_shards)";

/// All nodes, by name: name, address, whether it owns anything, milliseconds for which its lease is good yet, and since it was there.
pub const NODES: &str = "\
SELECT node, address, EXISTS (SELECT 1 FROM hookwheel_shards AS shard WHERE shard.node = nodes.node),
    CASE WHEN dead THEN 0 ELSE greatest(0, extract(epoch FROM until - now()) * 1000)::bigint END,
    greatest(0, extract(epoch FROM now() - seen) * 1000)::bigint
FROM hookwheel_nodes AS nodes ORDER BY node LIMIT 1000";

/// A row, or the key of the next one. Shard, tree, key.
pub const ROW: &str = "\
SELECT key, CASE WHEN key = $3 THEN value END FROM hookwheel_rows
WHERE shard = $1 AND tree = $2 AND key >= $3 ORDER BY key LIMIT 1";

/// The first rows of a span, and the key of the next one behind it, without a value. Shard, tree, first key, count, end.
pub const FIRST: &str = "\
(SELECT key, value FROM hookwheel_rows WHERE shard = $1 AND tree = $2 AND key >= $3 AND key < $5 ORDER BY key LIMIT $4)
UNION ALL
(SELECT key, NULL::bytea FROM hookwheel_rows WHERE shard = $1 AND tree = $2 AND key >= $5 ORDER BY key LIMIT 1)";

/// The same of one without an end.
pub const FIRST_FROM: &str =
    "SELECT key, value FROM hookwheel_rows WHERE shard = $1 AND tree = $2 AND key >= $3 ORDER BY key LIMIT $4";

/// The last rows of a span, from its end, and the key of the next one behind it. Shard, tree, first key, count, end.
pub const LAST: &str = "\
(SELECT key, value FROM hookwheel_rows WHERE shard = $1 AND tree = $2 AND key >= $3 AND key < $5
ORDER BY key DESC LIMIT $4)
UNION ALL
(SELECT key, NULL::bytea FROM hookwheel_rows WHERE shard = $1 AND tree = $2 AND key >= $5 ORDER BY key LIMIT 1)";

/// The same of one without an end.
pub const LAST_FROM: &str =
    "SELECT key, value FROM hookwheel_rows WHERE shard = $1 AND tree = $2 AND key >= $3 ORDER BY key DESC LIMIT $4";

/// Bytes of the rows with their index.
pub const SIZE: &str = "SELECT pg_total_relation_size('hookwheel_rows')::bigint";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_waits_for_is_written_like_anything_else_but_for_its_commit() {
        let later = write_later();
        assert_eq!(later.replace(", set_config('synchronous_commit', 'off', true)", ""), WRITE);
        assert_ne!(later, WRITE);
    }
}

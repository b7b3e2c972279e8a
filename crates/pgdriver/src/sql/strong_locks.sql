-- Who holds locks of SHARE UPDATE EXCLUSIVE and stronger on tables, views and the like of users of this database: of at
-- most $1 transactions, those with the strongest lock first, up to 4 relations each; `relations` is how many they are,
-- `transactions` how many transactions there are. And who holds the advisory lock ($2, $3): there `name` is null.
-- One scan of pg_locks; a relation that is not committed yet has no name and is left out, and so are temporary ones.
-- Privileges: none. pid is null for a prepared transaction.
WITH lock AS MATERIALIZED (
  SELECT l.pid, l.virtualtransaction::text AS transaction, l.locktype, l.relation,
         array_position('{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}',
                        l.mode) AS strength
    FROM pg_locks l
   WHERE l.granted
     AND l.pid IS DISTINCT FROM pg_backend_pid()
     AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
     AND (l.locktype = 'relation' AND l.relation >= 16384
          AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                         'AccessExclusiveLock')
          OR l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = $2::int4::oid AND l.objid = $3::int4::oid)
), named AS (
  SELECT l.pid, l.transaction, n.nspname AS schema, c.relname AS name, max(l.strength) AS strength
    FROM lock l
    JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'f', 'v', 'S')
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   WHERE l.locktype = 'relation'
   GROUP BY 1, 2, 3, 4
), ranked AS (
  SELECT m.*,
         count(*) OVER own AS relations,
         max(m.strength) OVER own AS strongest,
         row_number() OVER (PARTITION BY m.pid, m.transaction ORDER BY m.strength DESC, m.schema, m.name) AS place
    FROM named m
  WINDOW own AS (PARTITION BY m.pid, m.transaction)
), numbered AS (
  SELECT r.*, dense_rank() OVER (ORDER BY r.strongest DESC, r.pid NULLS FIRST, r.transaction) AS number
    FROM ranked r
)
SELECT d.pid, d.transaction, d.schema::text AS schema, d.name::text AS name,
       ('{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'::text[])[d.strength]
         AS mode,
       d.relations,
       (SELECT max(x.number) FROM numbered x) AS transactions,
       d.number, d.place
  FROM numbered d
 WHERE d.number <= $1::int4 AND d.place <= 4
 UNION ALL
SELECT l.pid, l.transaction, NULL, NULL, NULL, 0, 0, 0, 0 FROM lock l WHERE l.locktype = 'advisory'
 ORDER BY number, place

-- Every lock, held or awaited, on what the sessions $1 wait for, and the rows that those sessions have locked in order
-- to wait for them. A relation of another database has no name here.
-- Privileges: none. pid is null for a prepared transaction.
WITH lock AS MATERIALIZED (
  SELECT l.pid, l.virtualtransaction, l.locktype, l.mode, l.granted, l.waitstart,
         coalesce(l.database, 0) AS database, coalesce(l.relation, 0) AS relation,
         coalesce(l.page, 0) AS page, coalesce(l.tuple, 0::int2) AS tuple,
         coalesce(l.virtualxid, '') AS virtualxid, coalesce(l.transactionid::text, '') AS transactionid,
         coalesce(l.classid, 0) AS classid, coalesce(l.objid, 0) AS objid, coalesce(l.objsubid, 0::int2) AS objsubid
    FROM pg_locks l
)
SELECT l.pid,
       l.virtualtransaction::text AS transaction,
       l.locktype::text AS lock_type,
       l.mode::text AS mode,
       l.granted,
       extract(epoch FROM clock_timestamp() - l.waitstart)::float8 AS waited,
       l.database::int8 AS database_oid,
       d.datname::text AS database,
       l.relation::int8 AS relation_oid,
       n.nspname || '.' || c.relname AS relation,
       l.page, l.tuple,
       l.virtualxid::text AS virtualxid,
       l.transactionid AS xid,
       l.classid::int8 AS classid,
       CASE WHEN l.locktype = 'object' THEN l.classid::regclass::text END AS class,
       l.objid::int8 AS objid,
       l.objsubid
  FROM lock l
  LEFT JOIN pg_database d ON d.oid = l.database
  LEFT JOIN pg_class c ON c.oid = l.relation AND (l.database = 0 OR d.datname = current_database())
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE (l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid, l.objsubid)
    IN (SELECT a.locktype, a.database, a.relation, a.page, a.tuple, a.virtualxid, a.transactionid, a.classid, a.objid,
               a.objsubid
          FROM lock a WHERE NOT a.granted AND a.pid = ANY ($1::int4[]))
    OR (l.locktype = 'tuple' AND l.granted AND l.pid = ANY ($1::int4[]))
 ORDER BY l.pid, l.granted, l.waitstart

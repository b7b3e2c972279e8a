-- What the given sessions wait for. A relation of another database has no name here.
-- Privileges: none.
SELECT l.pid,
       l.locktype::text AS lock_type,
       CASE WHEN l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            THEN n.nspname || '.' || c.relname END AS relation,
       l.mode::text AS mode,
       extract(epoch FROM clock_timestamp() - l.waitstart)::float8 AS waited
  FROM pg_locks l
  LEFT JOIN pg_class c ON c.oid = l.relation
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT l.granted AND l.pid = ANY ($1::int4[])
 ORDER BY l.pid

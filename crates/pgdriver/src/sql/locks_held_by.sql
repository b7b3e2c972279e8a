-- The locks that backend $1 holds on user relations of this database.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       l.mode::text AS mode
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE l.pid = $1::int4 AND l.granted AND l.locktype = 'relation'
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
 ORDER BY 1, 2, 3

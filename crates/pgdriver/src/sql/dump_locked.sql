-- The relations of this database that the sessions $1 hold a lock on.
-- Privileges: none.
SELECT DISTINCT l.relation::int8 AS oid
  FROM pg_locks l
 WHERE l.locktype = 'relation' AND l.granted AND l.pid = ANY ($1::int4[])
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())

-- Does this very session hold the lock?
-- Privileges: none.
SELECT EXISTS (
  SELECT FROM pg_locks l
   WHERE l.locktype = 'advisory' AND l.granted AND l.pid = pg_backend_pid()
     AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
     AND l.classid = $1::int4::oid AND l.objid = $2::int4::oid AND l.objsubid = 2
) AS held

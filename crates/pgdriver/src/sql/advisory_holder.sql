-- Who holds the lock.
-- Privileges: none for pid, user and application; client and start of another role's session need pg_monitor.
SELECT l.pid,
       s.usename::text AS "user",
       s.application_name::text AS application,
       host(s.client_addr) AS client,
       s.backend_start
  FROM pg_locks l LEFT JOIN pg_stat_activity s ON s.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND l.classid = $1::int4::oid AND l.objid = $2::int4::oid AND l.objsubid = 2

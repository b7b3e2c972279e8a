-- Ends a backend's session, but only while it is still in this virtual transaction. No row where it is not.
-- Privileges: the same role, or pg_signal_backend; a superuser's session only by a superuser.
SELECT pg_terminate_backend(l.pid) AS told
  FROM (SELECT l.pid
          FROM pg_locks l
         WHERE l.pid = $1::int4
           AND l.virtualtransaction = $2::text
           AND l.locktype = 'virtualxid'
           AND l.virtualxid = l.virtualtransaction
           AND l.granted
         LIMIT 1) l

-- Ends the clients of a database, our own session left out; who was told to end, and how many could not be.
-- Privileges: to end another role's session, membership in it or in pg_signal_backend; a superuser's, a superuser.
SELECT coalesce(array_agg(pid) FILTER (WHERE told), '{}') AS told, count(*) FILTER (WHERE NOT told)::int8 AS not_told
  FROM (SELECT s.pid, pg_terminate_backend(s.pid) AS told
          FROM pg_stat_activity s
         WHERE s.datname = $1::text AND s.pid <> pg_backend_pid() AND s.usename IS NOT NULL) ended

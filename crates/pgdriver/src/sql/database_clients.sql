-- The clients of a database by role, program and address, our own session left out; autovacuum steps aside by itself.
-- Privileges: none for their number, roles and programs; the address needs pg_monitor (pg_read_all_stats).
SELECT s.usename::text AS role,
       s.application_name AS application,
       host(s.client_addr) AS client,
       count(*)::int8 AS sessions
  FROM pg_stat_activity s
 WHERE s.datname = $1::text AND s.pid <> pg_backend_pid() AND s.usename IS NOT NULL
 GROUP BY 1, 2, 3
 ORDER BY 4 DESC, 1, 2, 3

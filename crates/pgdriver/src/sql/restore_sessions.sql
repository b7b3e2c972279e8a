-- Who is connected to a database ($1), by user and program. Background workers of the server itself are left out.
-- Privileges: none.
SELECT coalesce(s.usename::text, '') AS username,
       coalesce(s.application_name, '') AS application,
       count(*)::int8 AS sessions
  FROM pg_stat_activity s
 WHERE s.datname = $1::text AND s.pid <> pg_backend_pid() AND s.backend_type = 'client backend'
 GROUP BY 1, 2
 ORDER BY 3 DESC, 1, 2

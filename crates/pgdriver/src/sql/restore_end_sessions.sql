-- Ends the sessions of a database ($1), and says how many there were.
-- Privileges: pg_signal_backend or the sessions' own role; superusers' sessions want a superuser.
SELECT count(pg_terminate_backend(s.pid))::int8 AS ended
  FROM pg_stat_activity s
 WHERE s.datname = $1::text AND s.pid <> pg_backend_pid() AND s.backend_type = 'client backend'

-- How many other sessions use a database.
-- Privileges: none.
SELECT count(*)::int8 AS sessions FROM pg_stat_activity s WHERE s.datname = $1::text AND s.pid <> pg_backend_pid()

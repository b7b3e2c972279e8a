-- Whose a database ($1) is, and the server's time for the names of others beside it.
-- Privileges: none.
SELECT (SELECT r.rolname::text FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = $1::text) AS owner,
       to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS') AS stamp

-- Bytes on disk of a database by its name. NULL where this role may not ask: CONNECT on it, or pg_read_all_stats, is needed.
-- Privileges: none.
SELECT CASE
         WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
         THEN pg_database_size(d.oid)::int8
       END AS bytes
FROM pg_database d
WHERE d.datname = $1

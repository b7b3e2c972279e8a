-- Bytes on disk. Looks at every file of the database, so it is a query of its own under statement_timeout.
-- Privileges: CONNECT on the database, or pg_read_all_stats.
SELECT pg_database_size(current_database())::int8 AS bytes

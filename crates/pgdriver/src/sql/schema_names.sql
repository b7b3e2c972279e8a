-- Schemas, extensions, publications and statistics objects, by name.
-- Privileges: none.
SELECT 'pg_namespace' AS class, oid, nspname::text AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
UNION ALL
SELECT 'pg_extension', oid, extname::text FROM pg_extension
UNION ALL
SELECT 'pg_publication', oid, pubname::text FROM pg_publication
UNION ALL
SELECT 'pg_statistic_ext', oid, stxname::text FROM pg_statistic_ext
 ORDER BY 1, 3

-- Every table of the user schemas with its size as of the last VACUUM or ANALYZE (pg_relation_size() would wait
-- behind ACCESS EXCLUSIVE and is not asked).
-- Privileges: none.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS estimated_rows,
       CASE WHEN c.relpages > 0 OR c.reltuples >= 0
            THEN c.relpages::bigint * current_setting('block_size')::bigint END AS bytes
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f', 'm')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2

-- The $1 largest tables of the user schemas, with indexes and TOAST, by the pages that VACUUM or ANALYZE counted last
-- (pg_total_relation_size() would wait behind ACCESS EXCLUSIVE and is not asked). Partitions count by themselves.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8 END AS estimated_rows,
       pg_stat_get_live_tuples(c.oid)::int8 AS live_rows,
       pg_stat_get_dead_tuples(c.oid)::int8 AS dead_rows,
       c.relpages::int8 * b.size AS heap_bytes,
       (coalesce(t.relpages, 0)::int8 + coalesce(i.pages, 0)) * b.size AS other_bytes,
       extract(epoch FROM clock_timestamp() - greatest(
         pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid),
         pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)
       ))::float8 AS counted
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (SELECT current_setting('block_size')::int8 AS size) b
  LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
 CROSS JOIN LATERAL (
   SELECT sum(x.relpages)::int8 AS pages
     FROM pg_index y
     JOIN pg_class x ON x.oid = y.indexrelid
    WHERE y.indrelid = c.oid OR y.indrelid = t.oid
 ) i
 WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY c.relpages::int8 + coalesce(t.relpages, 0) + coalesce(i.pages, 0) DESC, 1, 2
 LIMIT $1::int8

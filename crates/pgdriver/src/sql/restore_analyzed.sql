-- What ANALYZE is to be run on, the largest first: a partitioned table stands for its partitions.
-- Privileges: none.
SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_(temp|toast)' AND n.nspname <> 'information_schema'
   AND (n.nspname <> 'pg_catalog' OR c.relname NOT IN ('pg_statistic', 'pg_statistic_ext_data'))
   AND NOT c.relisshared
 ORDER BY CASE c.relkind WHEN 'p' THEN (SELECT sum(pg_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t WHERE t.isleaf)
                         ELSE pg_relation_size(c.oid) END DESC NULLS LAST

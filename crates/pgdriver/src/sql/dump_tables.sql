-- The tables whose rows pg_dump dumps, as the transaction's snapshot has them: ordinary ones, partitions among them. Sizes
-- and rows are those that VACUUM or ANALYZE counted last. Of an extension only the tables that it configures are dumped,
-- with its condition.
-- Privileges: none.
SELECT c.oid::int8 AS oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relfilenode::int8 AS file_node,
       c.relpersistence = 'u' AS unlogged,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8 END AS estimated_rows,
       ((c.relpages::int8 + coalesce(t.relpages, 0)) * b.size)::int8 AS estimated_bytes,
       (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) AS indexes,
       pn.nspname::text AS root_schema,
       p.relname::text AS root_name,
       config.condition,
       (config.condition IS NOT NULL OR (own.objid IS NULL AND home.objid IS NULL)) AS ours
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (SELECT current_setting('block_size')::int8 AS size) b
  LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
  LEFT JOIN pg_class p ON c.relispartition AND p.oid = pg_partition_root(c.oid)
  LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
  LEFT JOIN pg_depend own ON own.classid = 'pg_class'::regclass AND own.objid = c.oid AND own.objsubid = 0
                         AND own.refclassid = 'pg_extension'::regclass AND own.deptype = 'e'
  LEFT JOIN pg_depend home ON home.classid = 'pg_namespace'::regclass AND home.objid = n.oid
                          AND home.refclassid = 'pg_extension'::regclass AND home.deptype = 'e'
  LEFT JOIN LATERAL (
       SELECT coalesce(x.extcondition[array_position(x.extconfig, c.oid)], '') AS condition
         FROM pg_extension x WHERE c.oid = ANY (x.extconfig) LIMIT 1
       ) config ON true
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY n.nspname, c.relname

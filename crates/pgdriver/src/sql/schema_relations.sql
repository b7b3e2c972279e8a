-- Every relation of the user schemas: what it is, how large it was at the last VACUUM or ANALYZE, which table an index
-- belongs to, which column owns a sequence.
-- Privileges: none.
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind::text AS kind,
       c.relpersistence::text AS persistence,
       m.amname::text AS access_method,
       coalesce(s.spcname, 'pg_default')::text AS tablespace,
       pg_get_userbyid(c.relowner)::text AS owner,
       c.relispartition AS is_partition,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS estimated_rows,
       CASE WHEN c.relpages > 0 OR c.reltuples >= 0
            THEN c.relpages::bigint * current_setting('block_size')::bigint END AS bytes,
       coalesce(i.indrelid, d.refobjid) AS belongs_to,
       a.attname::text AS owned_by_column,
       d.deptype = 'i' AS is_identity
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_am m ON m.oid = c.relam
  LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_depend d ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I', 'c')
 ORDER BY c.oid

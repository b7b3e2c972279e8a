-- Indexes by schema and name (a null schema: what the search path finds), with what makes one whole.
-- pg_get_indexdef() would wait behind ACCESS EXCLUSIVE and is not asked.
-- Privileges: none; whether one is being built by another role's session needs pg_monitor.
SELECT a.at::int8 AS at,
       n.nspname::text AS schema,
       i.relname::text AS name,
       m.nspname::text AS table_schema,
       t.relname::text AS table,
       i.oid::int8 AS oid,
       x.indisvalid AS is_valid,
       x.indisready AND x.indislive AS takes_writes,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.oid) AS in_progress
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a(schema, name, at)
  JOIN pg_class i ON i.relname = a.name
  JOIN pg_namespace n ON n.oid = i.relnamespace
  JOIN pg_index x ON x.indexrelid = i.oid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace m ON m.oid = t.relnamespace
 WHERE n.nspname = a.schema OR (a.schema IS NULL AND pg_table_is_visible(i.oid))
 ORDER BY a.at

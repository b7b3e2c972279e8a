-- Every index of the user schemas, with its table.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       t.relname::text AS table,
       m.nspname::text AS index_schema,
       i.relname::text AS index
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_namespace m ON m.oid = i.relnamespace
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2, 3, 4

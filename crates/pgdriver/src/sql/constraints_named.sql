-- Constraints by the table's schema and name (a null schema: what the search path finds) and their own name.
-- Privileges: none.
SELECT a.at::int8 AS at,
       n.nspname::text AS schema,
       t.relname::text AS table,
       c.conname::text AS name,
       c.convalidated AS is_validated
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS a(schema, relation, name, at)
  JOIN pg_class t ON t.relname = a.relation
  JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_constraint c ON c.conrelid = t.oid AND c.conname = a.name
 WHERE n.nspname = a.schema OR (a.schema IS NULL AND pg_table_is_visible(t.oid))
 ORDER BY a.at

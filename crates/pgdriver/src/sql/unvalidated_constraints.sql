-- Constraints that existing rows may break. NOT ENFORCED ones (PostgreSQL 18) are meant so and left out.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       t.relname::text AS table,
       c.conname::text AS name,
       c.contype::text AS kind
  FROM pg_constraint c
  JOIN pg_class t ON t.oid = c.conrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE NOT c.convalidated
   AND coalesce(to_jsonb(c) ->> 'conenforced', 'true') = 'true'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2, 3

-- The tables that a pattern names, read as pg_dump reads it: $1 is a regular expression for the schema, and where it is
-- null, the search path decides; $2 is one for the name.
-- Privileges: none.
SELECT c.oid::int8 AS oid
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r'
   AND c.relname::text OPERATOR(pg_catalog.~) $2::text COLLATE pg_catalog.default
   AND CASE WHEN $1::text IS NULL THEN pg_table_is_visible(c.oid)
            ELSE n.nspname::text OPERATOR(pg_catalog.~) $1::text COLLATE pg_catalog.default END

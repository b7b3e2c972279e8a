-- Schemas with Django's history table that this role may not use: the search path passes over them without a word.
-- Privileges: none.
SELECT n.nspname::text AS schema
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = 'django_migrations' AND c.relkind IN ('r', 'p', 'v', 'f')
   AND NOT has_schema_privilege(n.oid, 'USAGE')
 ORDER BY 1

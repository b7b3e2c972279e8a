-- Where else there is a table of that name: the search path may lead past it.
-- Privileges: none.
SELECT n.nspname::text AS schema
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = 'django_migrations' AND c.relkind IN ('r', 'p', 'v', 'f')
   AND c.oid IS DISTINCT FROM to_regclass('django_migrations')
   AND n.nspname !~ '^pg_'
 ORDER BY 1

-- Where the search path finds Django's history table, if it does.
-- Privileges: USAGE on the schema, as for the table itself.
SELECT n.nspname::text AS schema
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass('django_migrations')

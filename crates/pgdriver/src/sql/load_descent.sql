-- Each table that inherits from another or is a partition of it: ALTER TABLE on the one may lock the other too.
-- Privileges: none.
SELECT pn.nspname::text AS parent_schema, p.relname::text AS parent_name,
       cn.nspname::text AS child_schema, c.relname::text AS child_name
  FROM pg_inherits i
  JOIN pg_class p ON p.oid = i.inhparent
  JOIN pg_namespace pn ON pn.oid = p.relnamespace
  JOIN pg_class c ON c.oid = i.inhrelid
  JOIN pg_namespace cn ON cn.oid = c.relnamespace
 WHERE p.relkind IN ('r', 'p', 'f')

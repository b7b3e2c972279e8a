-- Of these tables those that exist and whose owner this role is not, nor a member of: it may not alter them.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       pg_get_userbyid(c.relowner)::text AS owner
  FROM unnest($1::text[]) AS wanted(name)
  JOIN pg_class c ON c.oid = to_regclass(quote_ident(wanted.name))
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT pg_has_role(c.relowner, 'USAGE')
 ORDER BY 1, 2

-- Of these roles ($1), extensions ($2) and tablespaces ($3), those that the server has not. An extension counts as had where
-- its files are there.
-- Privileges: none.
SELECT 'role' AS kind, w.name
  FROM unnest($1::text[]) AS w(name)
 WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = w.name)
UNION ALL
SELECT 'extension', w.name
  FROM unnest($2::text[]) AS w(name)
 WHERE NOT EXISTS (SELECT FROM pg_available_extensions e WHERE e.name = w.name)
UNION ALL
SELECT 'tablespace', w.name
  FROM unnest($3::text[]) AS w(name)
 WHERE NOT EXISTS (SELECT FROM pg_tablespace t WHERE t.spcname = w.name)
 ORDER BY 1, 2

-- What stands between this role and a dump that wants owners ($1), other roles ($2), extensions ($3) and tablespaces ($4),
-- and to be made in a database of its own ($5).
-- An extension counts as had where its files are there. To give an object to a role one has to be able to act as it.
-- `installed` is true where it is in the session's database already.
-- Privileges: none.
WITH me AS (
  SELECT r.rolsuper, r.rolcreatedb, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END AS acting
    FROM pg_roles r WHERE r.rolname = current_user
), wanted AS (
  SELECT w.name, bool_or(w.owner) AS owner
    FROM (SELECT unnest($1::text[]) AS name, true AS owner UNION ALL SELECT unnest($2::text[]), false) w
   GROUP BY w.name
)
SELECT 'role' AS kind, w.name,
       CASE WHEN r.oid IS NULL THEN 'missing' ELSE 'not-a-member' END AS lacks,
       false AS installed
  FROM wanted w
 CROSS JOIN me
  LEFT JOIN pg_roles r ON r.rolname = w.name
 WHERE r.oid IS NULL OR (w.owner AND NOT pg_has_role(current_user, r.oid, me.acting))
UNION ALL
SELECT 'attribute', 'CREATEDB', 'no-createdb', false
  FROM me
 WHERE $5::bool AND NOT me.rolsuper AND NOT me.rolcreatedb
UNION ALL
SELECT 'extension', w.name, CASE WHEN e.name IS NULL THEN 'missing' ELSE 'superuser' END,
       EXISTS (SELECT FROM pg_extension x WHERE x.extname = w.name)
  FROM unnest($3::text[]) AS w(name)
 CROSS JOIN me
  LEFT JOIN pg_available_extensions e ON e.name = w.name
  LEFT JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
 WHERE e.name IS NULL OR (v.superuser AND NOT v.trusted AND NOT me.rolsuper)
UNION ALL
SELECT 'tablespace', w.name, CASE WHEN t.oid IS NULL THEN 'missing' ELSE 'privilege' END, false
  FROM unnest($4::text[]) AS w(name)
  LEFT JOIN pg_tablespace t ON t.spcname = w.name
 WHERE t.oid IS NULL OR NOT has_tablespace_privilege(t.oid, 'CREATE')
 ORDER BY 1, 2

-- What ALTER DATABASE ... SET and ALTER ROLE ... IN DATABASE ... SET say of a database ($1).
-- Privileges: none.
SELECT r.rolname::text AS role,
       split_part(s.line, '=', 1) AS name,
       substr(s.line, strpos(s.line, '=') + 1) AS value
  FROM pg_db_role_setting c
  JOIN pg_database d ON d.oid = c.setdatabase AND d.datname = $1::text
  LEFT JOIN pg_roles r ON r.oid = c.setrole
 CROSS JOIN LATERAL unnest(c.setconfig) WITH ORDINALITY s(line, at)
 WHERE c.setrole = 0 OR r.rolname IS NOT NULL
 ORDER BY 1 NULLS FIRST, s.at

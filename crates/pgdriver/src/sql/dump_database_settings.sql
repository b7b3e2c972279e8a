-- What ALTER DATABASE ... SET and ALTER ROLE ... IN DATABASE ... SET say of this database. `known` is false for an application's
-- own settings, and for those of a library that is not loaded here.
-- Privileges: none.
SELECT r.rolname::text AS role,
       split_part(s.line, '=', 1) AS name,
       substr(s.line, strpos(s.line, '=') + 1) AS value,
       EXISTS (SELECT FROM pg_settings k WHERE k.name = split_part(s.line, '=', 1)) AS known
  FROM pg_db_role_setting c
  JOIN pg_database d ON d.oid = c.setdatabase AND d.datname = current_database()
  LEFT JOIN pg_roles r ON r.oid = c.setrole
 CROSS JOIN LATERAL unnest(c.setconfig) WITH ORDINALITY s(line, at)
 WHERE c.setrole = 0 OR r.rolname IS NOT NULL
 ORDER BY 1 NULLS FIRST, s.at

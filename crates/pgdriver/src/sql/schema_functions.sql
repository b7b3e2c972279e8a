-- Functions that a default, an index or a query may call: those of users, and those of PostgreSQL that give another value
-- each time (one row for all of a name). Of a function in SQL the text is given where PostgreSQL may put it in the place of
-- the call (inline_function), so that its words count and not what was declared.
-- Privileges: none.
SELECT p.oid,
       n.nspname::text AS schema,
       p.proname::text AS name,
       p.provolatile::text AS volatility,
       CASE WHEN l.lanname = 'sql' AND NOT p.prosecdef AND p.proconfig IS NULL AND NOT p.proretset
                 AND p.prorettype NOT IN ('record'::regtype, 'void'::regtype)
            THEN p.prosrc END AS inlined
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
 WHERE p.prokind IN ('f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_temp'
UNION ALL
SELECT DISTINCT 0::oid, 'pg_catalog', p.proname::text, 'v', NULL
  FROM pg_proc p
 WHERE p.prokind = 'f' AND p.pronamespace = 'pg_catalog'::regnamespace AND p.provolatile = 'v'
 ORDER BY 2, 3, 1

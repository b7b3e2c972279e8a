-- Types of the user schemas that somebody made: domains, enums, composites and ranges; tables' row types are left out.
-- Privileges: none.
SELECT t.oid,
       n.nspname::text AS schema,
       t.typname::text AS name,
       t.typtype::text AS kind,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base_type,
       t.typtype = 'd' AND (t.typnotnull OR EXISTS (SELECT FROM pg_constraint k WHERE k.contypid = t.oid)) AS is_constrained,
       nullif(t.typrelid, 0) AS relation
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
   AND (t.typtype IN ('d', 'e', 'r', 'b') OR t.typtype = 'c' AND c.relkind = 'c')
   AND NOT (t.typtype = 'b' AND t.typelem <> 0)
 ORDER BY t.oid

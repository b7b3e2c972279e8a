-- Every column of the user schemas, with its type as the server writes it.
-- Privileges: none.
SELECT a.attrelid AS relation,
       a.attnum AS number,
       a.attname::text AS name,
       format_type(a.atttypid, a.atttypmod) AS type_name,
       t.typtype::text AS type_kind,
       a.attnotnull AS not_null,
       a.atthasdef AS has_default,
       nullif(a.attidentity::text, '') AS identity,
       nullif(a.attgenerated::text, '') AS generated,
       CASE WHEN a.attcollation <> t.typcollation THEN k.collname::text END AS collation
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_collation k ON k.oid = a.attcollation
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum

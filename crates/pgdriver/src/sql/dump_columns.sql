-- The columns that COPY reads of each table, by name: generated ones are left out, their values are made anew. By name,
-- because a dump gives a table that inherits its columns in another order.
-- Privileges: none.
SELECT c.oid::int8 AS oid,
       coalesce(array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") FILTER (WHERE a.attname IS NOT NULL),
                '{}') AS columns
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 GROUP BY c.oid

-- The columns that COPY reads of each table, by name: generated ones are left out, their values are made anew. By name,
-- because a dump gives a table that inherits its columns in another order.
-- Privileges: none.
SELECT a.attrelid::int8 AS oid,
       array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") AS columns
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 GROUP BY a.attrelid

-- Every foreign key of the user schemas: its table, its columns in order, and what it refers to.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       t.relname::text AS table,
       k.conname::text AS name,
       ARRAY(SELECT a.attname::text
               FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
              ORDER BY u.place) AS columns,
       m.nspname::text AS to_schema,
       r.relname::text AS to_table
  FROM pg_constraint k
  JOIN pg_class t ON t.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_class r ON r.oid = k.confrelid
  JOIN pg_namespace m ON m.oid = r.relnamespace
 WHERE k.contype = 'f'
 ORDER BY 1, 2, 3

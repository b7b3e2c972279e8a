-- The columns of a table that rows can be copied into, and the type that each value is sent as: that of a domain is the
-- type it restricts. A type that is not PostgreSQL's own has no name, but for an enum.
-- Privileges: none.
SELECT a.attname::text AS name,
       CASE WHEN b.typtype = 'e' THEN 'enum'
            WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN b.typname::text
       END AS type,
       b.typelem AS element
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
 WHERE n.nspname = $1
   AND c.relname = $2
   AND c.relkind IN ('r', 'p')
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attnum

-- Locks, held or awaited, of the modes $3 on the relations $1.$2 (a null schema: what the search path finds), their
-- partitions and inheritance children; not those of the backends $4. Array elements of one position belong together.
-- Nothing here opens a relation, so nobody's ACCESS EXCLUSIVE can block it.
-- Privileges: none. pid is null for a prepared transaction.
WITH RECURSIVE asked AS (
  SELECT a.schema, a.name::name AS name, array_agg(a.mode) AS modes
    FROM unnest($1::text[], $2::text[], $3::text[]) AS a(schema, name, mode)
   GROUP BY a.schema, a.name
), tree AS (
  SELECT c.oid, a.modes
    FROM asked a
    JOIN pg_class c ON c.relname = a.name
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = a.schema OR (a.schema IS NULL AND pg_table_is_visible(c.oid))
  UNION
  SELECT i.inhrelid, t.modes FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
), lock AS MATERIALIZED (
  SELECT l.relation, l.mode, l.granted, l.virtualtransaction, l.pid,
         extract(epoch FROM clock_timestamp() - l.waitstart)::float8 AS waited
    FROM pg_locks l
   WHERE l.relation = ANY (ARRAY(SELECT t.oid FROM tree t))
     AND l.mode = ANY ($3::text[])
     AND l.locktype = 'relation'
     AND l.database IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
     AND (l.pid IS NULL OR l.pid <> ALL ($4::int4[] || pg_backend_pid()))
)
SELECT DISTINCT n.nspname::text AS schema,
       c.relname::text AS name,
       l.mode::text AS mode,
       l.granted,
       l.virtualtransaction::text AS transaction,
       l.pid,
       l.waited
  FROM lock l
  JOIN tree t ON t.oid = l.relation AND l.mode = ANY (t.modes)
  JOIN pg_class c ON c.oid = l.relation
  JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY l.granted DESC, 1, 2, l.pid NULLS FIRST, 3

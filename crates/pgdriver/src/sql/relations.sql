-- Relations by schema and name (a null schema: what the search path finds), with partitions and children counted in.
-- Sizes are relpages of the last VACUUM or ANALYZE: pg_total_relation_size() would wait behind ACCESS EXCLUSIVE.
-- Privileges: none.
WITH RECURSIVE asked AS (
  SELECT a.schema, a.name, a.at FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a(schema, name, at)
), found AS (
  SELECT a.at, c.oid, n.nspname, c.relname, c.relkind, c.relrowsecurity
    FROM asked a
    JOIN pg_class c ON c.relname = a.name
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = a.schema OR (a.schema IS NULL AND pg_table_is_visible(c.oid))
), tree AS (
  SELECT f.at, f.oid AS member FROM found f
  UNION
  SELECT t.at, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.member
), sizes AS (
  SELECT t.at,
         sum(CASE WHEN m.relkind IN ('p', 'I', 'v', 'c') THEN 0
                  WHEN m.reltuples >= 0 THEN m.reltuples
                  WHEN pg_stat_get_live_tuples(m.oid) > 0 THEN pg_stat_get_live_tuples(m.oid) END)::float8 AS rows,
         bool_or(m.relkind NOT IN ('p', 'I', 'v', 'c') AND m.reltuples < 0
                 AND pg_stat_get_live_tuples(m.oid) = 0) AS rows_unknown,
         bool_or(m.relkind NOT IN ('p', 'I', 'v', 'c') AND m.reltuples < 0 AND m.relpages = 0) AS bytes_unknown,
         sum(p.pages)::int8 * current_setting('block_size')::int8 AS bytes
    FROM tree t
    JOIN pg_class m ON m.oid = t.member
   CROSS JOIN LATERAL (
         SELECT sum(greatest(x.relpages, 0)) AS pages
           FROM pg_class x
          WHERE x.oid = ANY (ARRAY[m.oid, m.reltoastrelid] || ARRAY(
                SELECT i.indexrelid FROM pg_index i WHERE i.indrelid IN (m.oid, m.reltoastrelid)))
         ) p
   GROUP BY t.at
)
SELECT f.at::int8 AS at,
       f.oid::int8 AS oid,
       f.nspname::text AS schema,
       f.relname::text AS name,
       f.relkind::text AS kind,
       f.relrowsecurity AS row_security,
       CASE WHEN s.rows_unknown THEN NULL ELSE s.rows END AS rows,
       CASE WHEN s.bytes_unknown THEN NULL ELSE s.bytes END AS bytes
  FROM found f JOIN sizes s ON s.at = f.at
 ORDER BY f.at

-- Of these sequences ($2), those that have used up a share ($1, of 1) of their values, with the column that each feeds:
-- the end is the sequence's, or that of the column's type where that comes first (an int4 column on a bigint
-- sequence). Those that start again by themselves before that are left out.
-- pg_sequence_last_value() wants ROW EXCLUSIVE until the statement's end, so that many sequences at once would fill the
-- cluster's lock table: ask for some hundreds. It is asked only of sequences that nobody has locked or waits to
-- lock in a mode that conflicts; of the others, and of those that this role may not read, `last` is null and `unread`
-- says why. They come whatever the share.
-- Privileges: USAGE or SELECT on the sequence.
WITH locked AS MATERIALIZED (
  SELECT l.relation
    FROM pg_locks l
   WHERE l.locktype = 'relation'
     AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
     AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
), sequences AS MATERIALIZED (
  SELECT c.oid,
         n.nspname::text AS schema,
         c.relname::text AS name,
         s.seqincrement::numeric AS step,
         s.seqmin::numeric AS lowest,
         s.seqmax::numeric AS highest,
         s.seqcycle AS cycles,
         CASE WHEN c.oid IN (SELECT l.relation FROM locked l) THEN 'locked'
              WHEN NOT has_sequence_privilege(c.oid, 'USAGE,SELECT') THEN 'not permitted'
              WHEN pg_is_in_recovery() AND c.relpersistence <> 'p' THEN 'not on a standby'
         END AS unread
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.oid = ANY ($2::oid[])
), fed AS (
  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attribute
    FROM pg_depend d
   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
     AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 AND d.objid = ANY ($2::oid[])
  UNION
  SELECT d.refobjid, f.adrelid, f.adnum
    FROM pg_depend d
    JOIN pg_attrdef f ON f.oid = d.objid
   WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($2::oid[])
), columns AS (
  SELECT DISTINCT ON (f.sequence)
         f.sequence,
         n.nspname::text AS table_schema,
         t.relname::text AS table_name,
         a.attname::text AS column_name,
         format_type(a.atttypid, a.atttypmod)::text AS column_type,
         -- of a domain over a domain, what is at the bottom
         CASE (WITH RECURSIVE base AS (
                 SELECT y.oid, y.typbasetype
                  UNION ALL
                 SELECT p.oid, p.typbasetype FROM base b JOIN pg_type p ON p.oid = b.typbasetype
               ) SELECT b.oid FROM base b WHERE b.typbasetype = 0)
              WHEN 'int2'::regtype THEN 32767
              WHEN 'int4'::regtype THEN 2147483647
              WHEN 'int8'::regtype THEN 9223372036854775807 END::numeric AS column_highest
    FROM fed f
    JOIN sequences s ON s.oid = f.sequence
    JOIN pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attribute
    JOIN pg_type y ON y.oid = a.atttypid
    JOIN pg_class t ON t.oid = f.relation
    JOIN pg_namespace n ON n.oid = t.relnamespace
   ORDER BY f.sequence, column_highest NULLS LAST, f.relation, f.attribute
), ends AS (
  SELECT s.*, c.*,
         CASE WHEN s.step > 0 THEN least(s.highest, c.column_highest)
              ELSE greatest(s.lowest, - c.column_highest - 1) END AS last_possible,
         CASE WHEN s.step > 0 THEN s.lowest ELSE s.highest END AS first_possible,
         CASE WHEN s.unread IS NULL THEN pg_sequence_last_value(s.oid)::numeric END AS last
    FROM sequences s
    LEFT JOIN columns c ON c.sequence = s.oid
   WHERE NOT s.cycles
      OR CASE WHEN s.step > 0 THEN c.column_highest < s.highest ELSE - c.column_highest - 1 > s.lowest END
), counted AS (
  SELECT e.*,
         CASE WHEN e.last IS NULL THEN 0
              WHEN e.last_possible = e.first_possible THEN 1
              ELSE greatest((e.last - e.first_possible) / (e.last_possible - e.first_possible), 0) END AS used,
         greatest(trunc((e.last_possible - coalesce(e.last, e.first_possible)) / e.step), 0) AS remaining
    FROM ends e
)
SELECT k.schema, k.name, k.table_schema, k.table_name, k.column_name, k.column_type,
       k.last::int8 AS last,
       k.last_possible::int8 AS last_possible,
       CASE WHEN k.step > 0 THEN k.column_highest < k.highest
            ELSE - k.column_highest - 1 > k.lowest END IS TRUE AS column_ends_first,
       k.used::float8 AS used,
       k.remaining::text AS remaining,
       k.unread::text AS unread
  FROM counted k
 WHERE k.unread IS NOT NULL OR k.used >= $1::float8
 ORDER BY k.used DESC, 1, 2

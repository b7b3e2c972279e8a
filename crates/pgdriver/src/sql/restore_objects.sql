-- What users have made in this database, extensions and their objects left out: how much of it, and the first few.
-- Privileges: none.
WITH own AS (
  SELECT 'schema' AS kind, quote_ident(n.nspname) AS name, n.oid, 'pg_namespace'::regclass AS class
    FROM pg_namespace n
   WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
  UNION ALL
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'table' END,
         quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.oid, 'pg_class'::regclass
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
  UNION ALL
  SELECT 'function', quote_ident(n.nspname) || '.' || quote_ident(p.proname), p.oid, 'pg_proc'::regclass
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
  SELECT 'type', quote_ident(n.nspname) || '.' || quote_ident(t.typname), t.oid, 'pg_type'::regclass
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND t.typtype IN ('d', 'e', 'r') AND t.typrelid = 0
  UNION ALL
  -- those of tables are in pg_class as tables, too
  SELECT 'type', quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.oid, 'pg_class'::regclass
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind = 'c'
     AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_type t ON t.oid = d.objid
                      WHERE d.classid = 'pg_type'::regclass AND d.deptype = 'e' AND t.typrelid = c.oid)
  UNION ALL
  SELECT 'server', quote_ident(s.srvname), s.oid, 'pg_foreign_server'::regclass FROM pg_foreign_server s
  UNION ALL
  SELECT 'collation', quote_ident(n.nspname) || '.' || quote_ident(l.collname), l.oid, 'pg_collation'::regclass
    FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
  SELECT 'text search configuration', quote_ident(n.nspname) || '.' || quote_ident(f.cfgname), f.oid, 'pg_ts_config'::regclass
    FROM pg_ts_config f JOIN pg_namespace n ON n.oid = f.cfgnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
  SELECT 'operator', quote_ident(n.nspname) || '.' || o.oprname, o.oid, 'pg_operator'::regclass
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
  SELECT 'large object', l.oid::text, l.oid, 'pg_largeobject'::regclass FROM pg_largeobject_metadata l
  UNION ALL
  SELECT 'event trigger', quote_ident(e.evtname), e.oid, 'pg_event_trigger'::regclass FROM pg_event_trigger e
  UNION ALL
  SELECT 'publication', quote_ident(p.pubname), p.oid, 'pg_publication'::regclass FROM pg_publication p
  UNION ALL
  SELECT 'subscription', quote_ident(s.subname), s.oid, 'pg_subscription'::regclass
    FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
), kept AS (
  SELECT o.kind, o.name
    FROM own o
   WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')
)
SELECT count(*)::int8 AS objects,
       (SELECT coalesce(string_agg(f.kind || ' ' || f.name, ', '), '')
          FROM (SELECT k.kind, k.name FROM kept k ORDER BY k.kind <> 'table', k.name LIMIT 3) f) AS first
  FROM kept

-- Every object of users in this database, by kind and name, with its definition as text: two databases compare by it.
-- What belongs to an extension is left out; the extension stands for it.
-- Privileges: none.
WITH space AS (
  SELECT oid, nspname::text AS name FROM pg_namespace
   WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
), member AS (
  SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relation AS (
  SELECT c.oid, c.relkind, format('%s.%s', n.name, c.relname) AS name, c.relpersistence
    FROM pg_class c JOIN space n ON n.oid = c.relnamespace
   WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
)
SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                    WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
       name,
       CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid)
            WHEN relkind = 'p' THEN 'partitioned by ' || pg_get_partkeydef(oid)
            ELSE relpersistence::text END AS definition
  FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL
SELECT 'column', r.name || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), nullif(a.attidentity::text, ''),
                 nullif(a.attgenerated::text, ''))
  FROM relation r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE r.relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'index', r.name, pg_get_indexdef(r.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' (INVALID)' END
  FROM relation r JOIN pg_index i ON i.indexrelid = r.oid
UNION ALL
SELECT 'constraint', r.name || '.' || k.conname, pg_get_constraintdef(k.oid)
  FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
 WHERE k.contype <> 'n'
UNION ALL
SELECT 'trigger', r.name || '.' || t.tgname, pg_get_triggerdef(t.oid)
  FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'policy', r.name || '.' || p.polname,
       concat_ws(' ', p.polcmd::text, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'function', format('%s.%s(%s)', n.name, f.proname, pg_get_function_identity_arguments(f.oid)),
       md5(concat_ws(' ', f.prosrc, pg_get_function_result(f.oid), f.provolatile::text, f.prosecdef::text))
  FROM pg_proc f JOIN space n ON n.oid = f.pronamespace
 WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = f.oid)
UNION ALL
SELECT 'type', format('%s.%s', n.name, t.typname),
       coalesce((SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
                format_type(nullif(t.typbasetype, 0), t.typtypmod), t.typtype::text)
  FROM pg_type t JOIN space n ON n.oid = t.typnamespace
 WHERE t.typtype IN ('e', 'd', 'r')
   AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
UNION ALL
SELECT 'extension', extname::text, extversion FROM pg_extension
UNION ALL
SELECT 'schema', name, '' FROM space
 ORDER BY 1, 2

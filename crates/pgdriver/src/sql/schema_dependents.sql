-- What would go with what: each object that depends on one of users. A rule stands for its view, a default, trigger, policy,
-- constraint or statistics object for its table; of anything else (a type, a function, a member of an extension) only its
-- identity is told, since what depends on it may be a relation again.
-- Privileges: none.
WITH part AS (
  SELECT 'pg_rewrite'::regclass AS class, oid, ev_class AS relation, rulename::text AS name FROM pg_rewrite
  UNION ALL
  SELECT 'pg_attrdef'::regclass, oid, adrelid, adnum::text FROM pg_attrdef
  UNION ALL
  SELECT 'pg_trigger'::regclass, oid, tgrelid, tgname::text FROM pg_trigger
  UNION ALL
  SELECT 'pg_policy'::regclass, oid, polrelid, polname::text FROM pg_policy
  UNION ALL
  SELECT 'pg_constraint'::regclass, oid, conrelid, conname::text FROM pg_constraint WHERE conrelid <> 0
  UNION ALL
  SELECT 'pg_statistic_ext'::regclass, oid, stxrelid, stxname::text FROM pg_statistic_ext
  UNION ALL
  SELECT 'pg_class'::regclass, oid, oid, relname::text FROM pg_class
)
SELECT d.classid::regclass::text AS class,
       d.objid AS object,
       nullif(d.objsubid, 0) AS column,
       p.relation,
       p.name,
       d.refclassid::regclass::text AS on_class,
       d.refobjid AS on_object,
       nullif(d.refobjsubid, 0) AS on_column,
       d.deptype::text AS how
  FROM pg_depend d
  LEFT JOIN part p ON p.class = d.classid AND p.oid = d.objid
 WHERE d.refobjid >= 16384
 ORDER BY d.refobjid, d.refobjsubid, d.objid, d.objsubid

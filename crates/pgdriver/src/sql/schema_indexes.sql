-- Every index of the user schemas: its key columns in order (an expression has none), the columns that its expressions and
-- its predicate use, and how each key column is compared.
-- Privileges: none.
SELECT i.indexrelid AS index,
       i.indrelid AS relation,
       i.indisunique AS is_unique,
       i.indisprimary AS is_primary,
       i.indisvalid AS is_valid,
       i.indisreplident AS is_replica_identity,
       i.indpred IS NOT NULL AS is_partial,
       i.indexprs IS NOT NULL AS has_expressions,
       ARRAY(SELECT coalesce(a.attname::text, '')
               FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, place)
               LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
              WHERE u.place <= i.indnkeyatts
              ORDER BY u.place) AS keys,
       ARRAY(SELECT o.opcname::text
               FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS u(class, place)
               JOIN pg_opclass o ON o.oid = u.class
              ORDER BY u.place) AS operator_classes,
       ARRAY(SELECT DISTINCT a.attname::text
               FROM pg_depend d
               JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
              WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0
              ORDER BY 1) AS uses
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY i.indexrelid

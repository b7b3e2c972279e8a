-- Every constraint of tables and domains in the user schemas. Of a CHECK that says no more than that a column IS NOT NULL
-- the column is given: it proves to SET NOT NULL what is to be proven. The expression is read as it is stored:
-- pg_get_expr() may wait behind ACCESS EXCLUSIVE.
-- Privileges: none.
SELECT k.oid,
       nullif(k.conrelid, 0) AS relation,
       nullif(k.contypid, 0) AS domain,
       k.conname::text AS name,
       k.contype::text AS kind,
       k.convalidated AS is_valid,
       k.condeferrable AS is_deferrable,
       k.condeferred AS is_deferred,
       nullif(k.confupdtype::text, ' ') AS on_update,
       nullif(k.confdeltype::text, ' ') AS on_delete,
       ARRAY(SELECT a.attname::text
               FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
              ORDER BY u.place) AS columns,
       nullif(k.confrelid, 0) AS refers_to,
       ARRAY(SELECT a.attname::text
               FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
              ORDER BY u.place) AS refers_to_columns,
       nullif(k.conindid, 0) AS index,
       nullif(k.conparentid, 0) AS parent,
       CASE WHEN k.contype = 'c' AND k.convalidated
                 AND k.conbin::text ~ '^\{NULLTEST :arg \{VAR [^{}]*\} :nulltesttype 1 [^{}]*\}$'
            THEN (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1])
       END AS proves_not_null
  FROM pg_constraint k
  JOIN pg_namespace n ON n.oid = k.connamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY k.oid

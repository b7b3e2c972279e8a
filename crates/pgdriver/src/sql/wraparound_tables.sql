-- Tables of this database whose oldest transaction id or multixact has reached a share ($1, of 1) of the age at which
-- autovacuum comes to prevent wraparound: the table's own setting, where it has a lower one. TOAST counts as its table.
-- At most a hundred, those of users first; `due` says how many of users' tables have passed the age itself.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       x.xid_age,
       x.xid_limit,
       x.mxid_age,
       x.mxid_limit,
       count(*) FILTER (WHERE x.of_users AND greatest(x.xid_age::float8 / x.xid_limit::float8,
                                                      x.mxid_age::float8 / x.mxid_limit::float8) >= 1)
         OVER ()::int8 AS due
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
 CROSS JOIN LATERAL (
   SELECT NOT (n.nspname ^@ 'pg_' OR n.nspname = 'information_schema') AS of_users,
         greatest(age(c.relfrozenxid), age(t.relfrozenxid))::int8 AS xid_age,
          least(current_setting('autovacuum_freeze_max_age')::int8,
                (SELECT o.option_value::int8 FROM pg_options_to_table(c.reloptions) o
                  WHERE o.option_name = 'autovacuum_freeze_max_age')) AS xid_limit,
          greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid))::int8 AS mxid_age,
          least(current_setting('autovacuum_multixact_freeze_max_age')::int8,
                (SELECT o.option_value::int8 FROM pg_options_to_table(c.reloptions) o
                  WHERE o.option_name = 'autovacuum_multixact_freeze_max_age')) AS mxid_limit
 ) x
 WHERE c.relkind IN ('r', 'm')
   AND c.relpersistence <> 't' AND c.relfrozenxid <> '0'::xid
   AND greatest(x.xid_age::float8 / x.xid_limit::float8, x.mxid_age::float8 / x.mxid_limit::float8) >= $1::float8
 ORDER BY x.of_users DESC, greatest(x.xid_age::float8 / x.xid_limit::float8, x.mxid_age::float8 / x.mxid_limit::float8) DESC, 1, 2
 LIMIT 100

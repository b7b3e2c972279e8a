-- How old the oldest transaction id and multixact of each database are, against the age at which autovacuum comes
-- whether it is wanted or not. At two thousand million the server takes no more writes.
-- Privileges: none.
SELECT d.datname::text AS database,
       d.datname = current_database() AS is_current,
       age(d.datfrozenxid)::int8 AS xid_age,
       current_setting('autovacuum_freeze_max_age')::int8 AS xid_limit,
       mxid_age(d.datminmxid)::int8 AS mxid_age,
       current_setting('autovacuum_multixact_freeze_max_age')::int8 AS mxid_limit
  FROM pg_database d
 ORDER BY greatest(age(d.datfrozenxid)::float8 / current_setting('autovacuum_freeze_max_age')::float8,
                   mxid_age(d.datminmxid)::float8 / current_setting('autovacuum_multixact_freeze_max_age')::float8)
          DESC, 1

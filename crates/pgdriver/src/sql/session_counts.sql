-- The sessions of this database by what they do, our own left out; those of the server's own workers, too.
-- Privileges: their number needs none; what another role's session does needs pg_monitor (pg_read_all_stats), and
-- without it the session counts as hidden.
SELECT count(*)::int4 AS sessions,
       count(*) FILTER (WHERE s.query = '<insufficient privilege>')::int4 AS hidden,
       count(*) FILTER (WHERE s.state = 'active')::int4 AS active,
       count(*) FILTER (WHERE s.state LIKE 'idle in transaction%')::int4 AS idle_in_transaction,
       max(extract(epoch FROM clock_timestamp() - s.xact_start))::float8 AS oldest_transaction,
       max(extract(epoch FROM clock_timestamp() - s.state_change))
         FILTER (WHERE s.state LIKE 'idle in transaction%')::float8 AS longest_idle,
       max(greatest(age(s.backend_xmin), age(s.backend_xid)))::int8 AS xmin_age
  FROM pg_stat_activity s
 WHERE s.datname = current_database() AND s.pid <> pg_backend_pid()

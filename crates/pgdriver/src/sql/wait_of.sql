-- One backend, as cheaply as the server can say it: 0.1 ms among 1,000 sessions.
-- Privileges: a session of the same role, or pg_monitor; else `visible` is false.
SELECT a.query IS DISTINCT FROM '<insufficient privilege>' AS visible,
       a.state::text AS state,
       a.wait_event_type::text AS wait_event_type,
       a.wait_event::text AS wait_event,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS query_age,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS xact_age
  FROM pg_stat_get_activity($1::int4) a

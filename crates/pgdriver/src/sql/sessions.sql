-- Sessions: those of $1 and their parallel workers (all where null), in a transaction for at least $2 seconds (any where null).
-- Privileges: pid, user, database and application need none; the rest of another role's session needs pg_monitor,
-- and without it `visible` is false.
SELECT s.pid,
       s.usename::text AS "user",
       s.datname::text AS database,
       s.application_name::text AS application,
       coalesce(r.rolsuper, false) AS superuser,
       CASE WHEN me.rolsuper THEN true
            WHEN s.usesysid IS NULL THEN coalesce(s.datname IS NOT NULL AND me.signals_autovacuum, false)
            WHEN r.rolsuper THEN false
            ELSE coalesce(me.signals OR pg_has_role(s.usesysid, 'USAGE'), false) END AS may_signal,
       EXISTS (SELECT FROM pg_stat_get_wal_senders() w WHERE w.pid = s.pid) AS is_walsender,
       s.query IS DISTINCT FROM '<insufficient privilege>' AS visible,
       s.state::text AS state,
       s.wait_event_type::text AS wait_event_type,
       s.wait_event::text AS wait_event,
       host(s.client_addr) AS client,
       s.backend_type::text AS backend_type,
       s.leader_pid AS leader,
       extract(epoch FROM clock_timestamp() - s.backend_start)::float8 AS session_age,
       extract(epoch FROM clock_timestamp() - s.xact_start)::float8 AS xact_age,
       extract(epoch FROM clock_timestamp() - s.query_start)::float8 AS query_age,
       extract(epoch FROM clock_timestamp() - s.state_change)::float8 AS state_age,
       s.query::text AS query
  FROM pg_stat_activity s
  LEFT JOIN pg_roles r ON r.oid = s.usesysid
 CROSS JOIN (
       SELECT m.rolsuper,
              pg_has_role('pg_signal_backend', 'USAGE') AS signals,
              -- PostgreSQL 18
              (SELECT pg_has_role(g.oid, 'USAGE') FROM pg_roles g WHERE g.rolname = 'pg_signal_autovacuum_worker')
                AS signals_autovacuum
         FROM pg_roles m WHERE m.rolname = current_user
       ) me
 WHERE s.pid <> pg_backend_pid()
   AND ($1::int4[] IS NULL OR s.pid = ANY ($1::int4[]) OR s.leader_pid = ANY ($1::int4[]))
   AND ($2::float8 IS NULL OR s.xact_start <= clock_timestamp() - make_interval(secs => $2::float8))
 ORDER BY s.xact_start NULLS LAST, s.pid

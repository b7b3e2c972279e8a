-- Standbys and other receivers of WAL, with what each has still to replay.
-- Privileges: pg_monitor (pg_read_all_stats) for anything beyond pid and user; without it `visible` is false.
SELECT r.pid,
       r.application_name::text AS application,
       host(r.client_addr) AS client,
       r.state IS NOT NULL AS visible,
       r.state::text AS state,
       r.sync_state::text AS sync_state,
       pg_wal_lsn_diff(
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
         r.replay_lsn
       )::int8 AS lag_bytes,
       extract(epoch FROM r.replay_lag)::float8 AS lag_seconds
  FROM pg_stat_replication r
 ORDER BY r.pid

-- What a standby has received and replayed; one row of nulls on a primary.
-- Privileges: none; the state of the WAL receiver needs pg_monitor (pg_read_all_stats).
SELECT w.pid AS receiver,
       w.status::text AS status,
       CASE WHEN pg_is_in_recovery()
            THEN pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::int8 END AS unreplayed_bytes,
       CASE WHEN pg_is_in_recovery()
            THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 END
         AS replayed_age,
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END AS is_paused
  FROM (VALUES (1)) one(n)
  LEFT JOIN pg_stat_wal_receiver w ON true

-- Whether a commit waits for standbys, and how many of those that it waits for are there.
-- Privileges: the number needs pg_monitor (pg_read_all_stats); without it `visible` is false.
SELECT current_setting('synchronous_standby_names')::text AS wanted,
       (SELECT p.reset_val FROM pg_settings p WHERE p.name = 'synchronous_commit')::text AS synchronous_commit,
       coalesce(bool_and(r.state IS NOT NULL), true) AS visible,
       count(*) FILTER (WHERE r.sync_state IN ('sync', 'quorum'))::int4 AS present
  FROM pg_stat_replication r

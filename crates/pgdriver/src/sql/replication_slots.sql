-- Replication slots of the cluster: who reads from each, how much WAL it keeps from being removed, and how old a
-- transaction it keeps from being vacuumed.
-- Privileges: none.
SELECT s.slot_name::text AS name,
       s.slot_type::text AS kind,
       s.plugin::text AS plugin,
       s.database::text AS database,
       s.temporary AS is_temporary,
       s.active_pid,
       pg_wal_lsn_diff(
         CASE WHEN pg_is_in_recovery()
              THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_lsn() END,
         s.restart_lsn
       )::int8 AS retained_bytes,
       s.wal_status::text AS wal_status,
       s.safe_wal_size::int8 AS safe_bytes,
       greatest(age(s.xmin), age(s.catalog_xmin))::int8 AS xmin_age,
       extract(epoch FROM clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8 AS inactive
  FROM pg_replication_slots s
 ORDER BY 1

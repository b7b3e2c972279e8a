-- The server, this session's role and its database. Settings are what a new session of this role would start with
-- (reset_val), not what this one has set for itself.
-- Privileges: none.
SELECT current_setting('server_version_num')::int4 AS version_num,
       version()::text AS version,
       current_user::text AS role,
       r.rolsuper AS is_superuser,
       (r.rolsuper OR pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')) AS sees_all_sessions,
       (r.rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE')) AS may_signal_backends,
       pg_is_in_recovery() AS in_recovery,
       d.oid::int8 AS database_oid,
       d.datname::text AS database,
       pg_encoding_to_char(d.encoding)::text AS encoding,
       has_database_privilege(d.oid, 'CREATE') AS may_create_schemas,
       current_schema()::text AS current_schema,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create_tables,
       current_setting('max_connections')::int4 AS max_connections,
       current_setting('superuser_reserved_connections')::int4
         + coalesce(current_setting('reserved_connections', true)::int4, 0) AS reserved_connections,
       (SELECT coalesce(sum(s.numbackends), 0)::int4 FROM pg_stat_database s) AS used_connections,
       current_setting('max_prepared_transactions')::int4 AS max_prepared_transactions,
       pg_backend_pid() AS backend_pid,
       (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'lock_timeout')::int8 AS lock_timeout_ms,
       (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'statement_timeout')::int8 AS statement_timeout_ms,
       (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'idle_in_transaction_session_timeout')::int8
         AS idle_in_transaction_timeout_ms,
       (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'deadlock_timeout')::int8 AS deadlock_timeout_ms,
       (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'default_transaction_read_only') = 'on'
         AS default_read_only,
       (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'TimeZone') AS time_zone
  FROM pg_database d, pg_roles r
 WHERE d.datname = current_database() AND r.rolname = current_user

-- This session's role: its attributes, its predefined roles (those that this version has and that it may use), and how
-- many connections it and its database may have. -1 is no limit.
-- Privileges: none.
SELECT r.rolname::text AS role,
       session_user::text AS session_role,
       r.rolsuper AS is_superuser,
       r.rolcreatedb AS may_create_databases,
       r.rolcreaterole AS may_create_roles,
       r.rolreplication AS may_replicate,
       r.rolbypassrls AS bypasses_row_security,
       pg_has_role(r.oid, d.datdba, 'USAGE') AS owns_database,
       ARRAY(
         SELECT p.rolname::text
           FROM pg_roles p
          WHERE p.rolname IN ('pg_monitor', 'pg_read_all_stats', 'pg_read_all_settings', 'pg_stat_scan_tables',
                              'pg_signal_backend', 'pg_signal_autovacuum_worker', 'pg_read_all_data',
                              'pg_write_all_data', 'pg_maintain', 'pg_use_reserved_connections', 'pg_checkpoint',
                              'pg_create_subscription')
            AND pg_has_role(r.oid, p.oid, 'USAGE')
          ORDER BY 1
       ) AS predefined_roles,
       s.rolconnlimit AS session_role_limit,
       (SELECT count(*)::int4 FROM pg_stat_activity a WHERE a.usesysid = s.oid) AS session_role_connections,
       d.datconnlimit AS database_limit,
       (SELECT count(*)::int4 FROM pg_stat_activity a WHERE a.datid = d.oid AND a.usesysid IS NOT NULL)
         AS database_connections
  FROM pg_roles r, pg_roles s, pg_database d
 WHERE r.rolname = current_user AND s.rolname = session_user AND d.datname = current_database()

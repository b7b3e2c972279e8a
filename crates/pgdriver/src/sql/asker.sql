-- The asking role, its database, and how long a waiter waits before it looks for a deadlock, or for an autovacuum to
-- cancel.
-- Privileges: none.
SELECT current_user::text AS role,
       current_database()::text AS database,
       (SELECT s.setting::float8 / 1000 FROM pg_settings s WHERE s.name = 'deadlock_timeout') AS deadlock_timeout

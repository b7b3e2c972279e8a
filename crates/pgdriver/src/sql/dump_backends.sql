-- The sessions of this database that call themselves $1, the first one first: pg_dump, and then its workers.
-- Privileges: none.
SELECT a.pid
  FROM pg_stat_activity a
 WHERE a.application_name = $1::text AND a.datname = current_database()
 ORDER BY a.backend_start, a.pid

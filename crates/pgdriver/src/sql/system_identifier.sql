-- What tells one cluster from every other, a copy of its data folder excepted.
-- Privileges: EXECUTE on pg_control_system(), which everybody has unless it was revoked.
SELECT system_identifier::text AS system_identifier FROM pg_control_system()

-- Gives the lock of a session back.
-- Privileges: none.
SELECT pg_advisory_unlock($1::int4, $2::int4) AS released

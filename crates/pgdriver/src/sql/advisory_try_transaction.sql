-- The same lock, held by an open transaction: behind a transaction pooler that is what keeps the server process ours.
-- Privileges: none.
SELECT pg_try_advisory_xact_lock($1::int4, $2::int4) AS acquired

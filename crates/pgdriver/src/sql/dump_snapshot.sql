-- Hands the transaction's snapshot to other sessions, up to the transaction's end.
-- Privileges: none.
SELECT pg_export_snapshot()::text AS id,
       to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS taken_at,
       pg_is_in_recovery() AS standby

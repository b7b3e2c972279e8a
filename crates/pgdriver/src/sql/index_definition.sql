-- An index's definition by its oid, null where it is gone. It waits behind ACCESS EXCLUSIVE on the table: ask with a
-- short lock_timeout.
-- Privileges: none.
SELECT pg_get_indexdef($1::int8::oid) AS definition

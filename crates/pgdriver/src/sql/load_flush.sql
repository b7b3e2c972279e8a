-- A record in the write-ahead log whose commit waits for the disk, and with it everything that was logged before:
-- commits made with synchronous_commit = off are durable afterwards.
-- Privileges: none.
SELECT pg_logical_emit_message(true, 'django-migrate', 'restored') IS NOT NULL AS written

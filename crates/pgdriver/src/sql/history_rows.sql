-- What Django recorded, in order of recording.
-- Privileges: SELECT on django_migrations.
SELECT m.id::int8 AS id, m.app::text AS app, m.name::text AS name, m.applied::timestamptz AS applied
  FROM django_migrations m
 ORDER BY m.id

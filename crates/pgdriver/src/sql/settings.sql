-- Settings ($1) as a new session of this role would have them, and which place says so: default, configuration file,
-- command line, global (ALTER ROLE ALL), database, user, database user (ALTER ROLE ... IN DATABASE), client (options=-c ...).
-- Where this session has set one for itself, it is put back for the length of this statement; pg_settings would say
-- `session` otherwise.
-- Privileges: none; the file and its line need pg_read_all_settings.
WITH back AS MATERIALIZED (
  SELECT set_config('lock_timeout', NULL, true) || set_config('statement_timeout', NULL, true) AS done
)
SELECT s.name, s.value, s.unit, s.source, s.file, s.line
  FROM back
 CROSS JOIN LATERAL (
   SELECT p.name::text AS name,
          p.setting::text AS value,
          p.unit::text AS unit,
          p.source::text AS source,
          p.sourcefile::text AS file,
          p.sourceline::int4 AS line
     FROM pg_settings p
    WHERE p.name = ANY ($1::text[]) AND back.done IS NOT NULL
   OFFSET 0
 ) s
 ORDER BY s.name

-- What of the session decides how a statement is read and what it does.
-- Privileges: none.
SELECT current_setting('server_version_num')::int / 10000 AS major,
       current_schemas(false)::text[] AS search_path,
       current_setting('TimeZone') AS time_zone

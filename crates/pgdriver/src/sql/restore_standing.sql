-- What stands under a name ($1): whether this role may rename and drop it, and whether it is a template; and unfinished
-- databases whose names begin with $2.
-- Privileges: none.
SELECT EXISTS (SELECT FROM pg_database d WHERE d.datname = $1::text AND pg_has_role(d.datdba, 'USAGE')) AS mine,
       EXISTS (SELECT FROM pg_database d WHERE d.datname = $1::text AND d.datistemplate) AS template,
       ARRAY(SELECT d.datname::text FROM pg_database d WHERE starts_with(d.datname::text, $2::text)
              ORDER BY d.datname) AS unfinished

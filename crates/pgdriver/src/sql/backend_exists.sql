-- Is there such a backend?
-- Privileges: none.
SELECT EXISTS (SELECT FROM pg_stat_get_activity($1::int4)) AS exists

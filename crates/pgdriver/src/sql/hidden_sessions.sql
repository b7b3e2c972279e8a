-- How many sessions hide their state from this role.
-- Privileges: none; with pg_monitor the answer is 0.
SELECT count(*)::int8 AS hidden FROM pg_stat_activity s WHERE s.query = '<insufficient privilege>'

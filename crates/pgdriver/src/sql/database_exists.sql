-- Whether the cluster has a database of this name.
-- Privileges: none.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS found

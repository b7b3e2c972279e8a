-- The subscriptions of this database: as long as there is one, the database cannot be dropped.
-- Privileges: none.
SELECT s.subname::text AS name
  FROM pg_subscription s
  JOIN pg_database d ON d.oid = s.subdbid
 WHERE d.datname = current_database()

-- Two-phase transactions of other databases of the server: they hold no lock here, but what they may still see no vacuum
-- of their database removes, and the server stops when the oldest of them is too old, as it does for its own.
-- Privileges: none. To end one: its owner, or a superuser, in its database.
SELECT p.gid,
       p.owner::text AS owner,
       p.database::text AS database,
       extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS age,
       age(p.transaction)::int8 AS xids
  FROM pg_prepared_xacts p
 WHERE p.database <> current_database()
 ORDER BY p.prepared

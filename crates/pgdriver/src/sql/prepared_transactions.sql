-- Two-phase transactions of this database: they hold their locks until somebody ends them, through restarts too. Each
-- locks its own transaction id, and by that its other locks are found: they have no pid.
-- Privileges: none. To end one: its owner, or a superuser.
SELECT p.gid,
       p.owner::text AS owner,
       extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS age,
       ARRAY(
         SELECT DISTINCT l.relation::regclass::text
           FROM pg_locks own
           JOIN pg_locks l ON l.virtualtransaction = own.virtualtransaction AND l.pid IS NULL
          WHERE own.transactionid = p.transaction AND own.granted AND own.pid IS NULL
            AND l.relation IS NOT NULL
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          ORDER BY 1
       ) AS relations
  FROM pg_prepared_xacts p
 WHERE p.database = current_database()
 ORDER BY p.prepared

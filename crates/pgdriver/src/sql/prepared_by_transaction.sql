-- Prepared transactions of all databases by the virtual transaction that pg_locks shows for their locks: that of the
-- session that prepared them, or -1/xid after a restart. Each locks its own transaction id.
-- Privileges: none. To end one: the role that prepared it, or a superuser, in its own database.
SELECT l.virtualtransaction::text AS transaction,
       p.gid,
       p.owner::text AS owner,
       p.database::text AS database,
       extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS age,
       p.owner = current_user OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) AS may_end
  FROM pg_prepared_xacts p
  JOIN pg_locks l ON l.transactionid = p.transaction AND l.pid IS NULL AND l.granted
 ORDER BY p.prepared

-- Prepared transactions by the virtual transaction that pg_locks shows for their locks: that of the session that
-- prepared them, or -1/xid after a restart. Each locks its own transaction id.
-- Privileges: none.
SELECT l.virtualtransaction::text AS transaction,
       p.gid
  FROM pg_prepared_xacts p
  JOIN pg_locks l ON l.transactionid = p.transaction AND l.pid IS NULL AND l.granted

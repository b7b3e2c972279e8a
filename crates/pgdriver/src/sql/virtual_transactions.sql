-- The virtual transaction that each of these backends is in: every transaction holds the lock of its own one.
-- Privileges: none.
SELECT l.pid, l.virtualtransaction::text AS transaction
  FROM pg_locks l
 WHERE l.pid = ANY ($1::int4[])
   AND l.locktype = 'virtualxid'
   AND l.virtualxid = l.virtualtransaction
   AND l.granted

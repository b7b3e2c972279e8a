-- Bytes of tables with TOAST, without indexes. Looks at their files, each under a lock that is released at once; behind
-- ACCESS EXCLUSIVE it waits for lock_timeout.
-- Privileges: none.
SELECT o.oid::int8 AS oid, pg_table_size(o.oid::regclass)::int8 AS bytes
  FROM unnest($1::oid[]) o(oid)

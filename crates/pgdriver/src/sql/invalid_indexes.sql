-- Indexes that no query uses: left over by a failed CREATE INDEX CONCURRENTLY, or being built at this moment.
-- pg_get_indexdef() would wait behind ACCESS EXCLUSIVE and is not asked.
-- Privileges: none.
SELECT n.nspname::text AS schema,
       i.relname::text AS name,
       t.relname::text AS table,
       x.indisunique AS is_unique,
       x.indisready AS takes_writes,
       i.relkind = 'I' AS is_partitioned,
       -- REINDEX CONCURRENTLY reports the old index, and keeps a lock on the new one; of another role's session only the
       -- process is told without pg_monitor, and pg_locks has its lock on the table
       EXISTS (SELECT FROM pg_stat_progress_create_index p
                WHERE p.index_relid = i.oid
                   OR EXISTS (SELECT FROM pg_locks l
                               WHERE l.pid = p.pid AND l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock'
                                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                                 AND (l.relation = i.oid OR (p.index_relid IS NULL AND l.relation = x.indrelid)))
              ) AS in_progress
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE NOT x.indisvalid
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2

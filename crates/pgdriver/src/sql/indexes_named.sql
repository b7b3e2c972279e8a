-- Indexes by schema and name (a null schema: what the search path finds), with what makes one whole.
-- pg_get_indexdef() would wait behind ACCESS EXCLUSIVE and is not asked.
-- Privileges: none.
SELECT a.at::int8 AS at,
       n.nspname::text AS schema,
       i.relname::text AS name,
       m.nspname::text AS table_schema,
       t.relname::text AS table,
       i.oid::int8 AS oid,
       x.indisvalid AS is_valid,
       x.indisready AND x.indislive AS takes_writes,
       -- REINDEX CONCURRENTLY reports the old index, and keeps a lock on the new one; of another role's session only the
       -- process is told without pg_monitor, and pg_locks has its lock on the table
       EXISTS (SELECT FROM pg_stat_progress_create_index p
                WHERE p.index_relid = i.oid
                   OR EXISTS (SELECT FROM pg_locks l
                               WHERE l.pid = p.pid AND l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock'
                                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                                 AND (l.relation = i.oid OR (p.index_relid IS NULL AND l.relation = x.indrelid)))
              ) AS in_progress
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a(schema, name, at)
  JOIN pg_class i ON i.relname = a.name
  JOIN pg_namespace n ON n.oid = i.relnamespace
  JOIN pg_index x ON x.indexrelid = i.oid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace m ON m.oid = t.relnamespace
 WHERE n.nspname = a.schema OR (a.schema IS NULL AND pg_table_is_visible(i.oid))
 ORDER BY a.at

-- How far backend $1 is, where the server tells: index builds, CLUSTER and VACUUM FULL, VACUUM, ANALYZE, COPY. `total` 0
-- means that this phase has no measure.
-- Privileges: a session of the same role, or pg_monitor; else all but `view` is null.
SELECT p.view, p.command, p.phase,
       n.nspname::text AS schema,
       c.relname::text AS name,
       p.unit, p.done, p.total
  FROM (
    SELECT 'CREATE INDEX' AS view, i.command::text, i.phase::text, i.datname, i.relid,
           CASE WHEN i.phase LIKE 'waiting%' THEN 'lockers'
                WHEN i.blocks_total > 0 THEN 'blocks' ELSE 'tuples' END AS unit,
           CASE WHEN i.phase LIKE 'waiting%' THEN i.lockers_done
                WHEN i.blocks_total > 0 THEN i.blocks_done ELSE i.tuples_done END AS done,
           CASE WHEN i.phase LIKE 'waiting%' THEN i.lockers_total
                WHEN i.blocks_total > 0 THEN i.blocks_total ELSE i.tuples_total END AS total
      FROM pg_stat_progress_create_index i WHERE i.pid = $1::int4
    UNION ALL
    SELECT 'CLUSTER', r.command::text, r.phase::text, r.datname, r.relid, 'blocks', r.heap_blks_scanned, r.heap_blks_total
      FROM pg_stat_progress_cluster r WHERE r.pid = $1::int4
    UNION ALL
    SELECT 'VACUUM', 'VACUUM', v.phase::text, v.datname, v.relid, 'blocks',
           CASE v.phase WHEN 'vacuuming heap' THEN v.heap_blks_vacuumed ELSE v.heap_blks_scanned END, v.heap_blks_total
      FROM pg_stat_progress_vacuum v WHERE v.pid = $1::int4
    UNION ALL
    SELECT 'ANALYZE', 'ANALYZE', a.phase::text, a.datname, a.relid, 'blocks', a.sample_blks_scanned, a.sample_blks_total
      FROM pg_stat_progress_analyze a WHERE a.pid = $1::int4
    UNION ALL
    SELECT 'COPY', y.command::text, CASE WHEN y.command IS NOT NULL THEN 'copying' END, y.datname, y.relid,
           CASE WHEN y.bytes_total > 0 THEN 'bytes' ELSE 'tuples' END,
           CASE WHEN y.bytes_total > 0 THEN y.bytes_processed ELSE y.tuples_processed END, y.bytes_total
      FROM pg_stat_progress_copy y WHERE y.pid = $1::int4
  ) p
  LEFT JOIN pg_class c ON c.oid = p.relid AND p.datname = current_database()
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace

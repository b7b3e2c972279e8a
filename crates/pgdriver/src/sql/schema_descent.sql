-- Who descends from whom: partitions, inheriting tables, and the indexes of partitions. A default partition is marked.
-- Privileges: none.
SELECT h.inhrelid AS child,
       h.inhparent AS parent,
       c.relispartition AS is_partition,
       coalesce(p.partdefid = h.inhrelid, false) AS is_default
  FROM pg_inherits h
  JOIN pg_class c ON c.oid = h.inhrelid
  LEFT JOIN pg_partitioned_table p ON p.partrelid = h.inhparent
 ORDER BY h.inhparent, h.inhseqno, h.inhrelid

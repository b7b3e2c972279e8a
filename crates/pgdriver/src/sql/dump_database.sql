-- A database ($1), or the session's where none is named, as CREATE DATABASE made it. The provider's columns came with 15, 16 and 17: the row as JSON has those that
-- there are.
-- Privileges: none.
SELECT pg_encoding_to_char(d.encoding)::text AS encoding,
       r.it ->> 'datcollate' AS collate,
       r.it ->> 'datctype' AS ctype,
       CASE r.it ->> 'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider,
       coalesce(r.it ->> 'datlocale', r.it ->> 'daticulocale') AS locale,
       r.it ->> 'daticurules' AS icu_rules
  FROM pg_database d
 CROSS JOIN LATERAL (SELECT to_jsonb(d) AS it) r
 WHERE d.datname = coalesce($1::text, current_database())

-- What makes a database ($2) like another ($1) but for its contents: owner, limit of connections, rights; in this order.
-- Privileges: none.
SELECT array_remove(ARRAY[
         format('ALTER DATABASE %I OWNER TO %I', $2::text, pg_get_userbyid(d.datdba)),
         CASE WHEN d.datconnlimit >= 0 THEN format('ALTER DATABASE %I CONNECTION LIMIT %s', $2::text, d.datconnlimit) END,
         CASE WHEN d.datacl IS NOT NULL THEN format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $2::text) END
       ], NULL) || ARRAY(
         SELECT format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, $2::text,
                       CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                       CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
           FROM aclexplode(d.datacl) a
          ORDER BY 1) AS statements
  FROM pg_database d
 WHERE d.datname = $1::text

	SELECT E'a'
'b\'', U&'\0041', n'x', b'01'
'1', x'1f', 'std\', "i""d", u&"d!0061t!" UESCAPE '!', $1, $a$ $b$ $$ $a$, a$b$c, 1.5e-3, 1..2, :name, :'n', a[1:2];
/* a /* nested; */ still ; */ SELECT 1 -- ; '
  + 2; SELECT (1; 2); SELECT /*/ */ */ 3;
create or replace procedure p() begin atomic select case when 1=1 then 'end' end; select $$;$$; end; CREATE FUNCTION end() RETURNS int AS 'x;' LANGUAGE sql;
SET standard_conforming_strings = off;
SELECT 'a\';b', $q$;$q$;
COPY a FROM STDIN WITH (FORMAT csv);
1,"x"
\\.

\.x
\.
copy "S"."t" ("from") from stdin;
\.
-- Name: x; Type: TABLE; Schema: public; Owner: a
\connect -reuse-previous=on "dbname='a b'"
\encoding UTF8
--
-- PostgreSQL database dump complete
--

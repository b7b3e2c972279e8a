-- Functions, procedures, aggregates, operators, casts, text search: whatever has a body or a name of its own.
CREATE FUNCTION shop.misleading() RETURNS text LANGUAGE sql IMMUTABLE AS $f$
    SELECT '
COPY public.fake (id) FROM stdin;
1
\.
\connect postgres
-- PostgreSQL database dump complete
'::text $f$;
CREATE FUNCTION shop."it's; $$odd$$"(a int DEFAULT 1, VARIADIC "b c" text[] DEFAULT ARRAY['x;', 'y''', 'z"', E'\\'])
    RETURNS int LANGUAGE sql STABLE PARALLEL SAFE COST 7 LEAKPROOF
    SET search_path = shop, public SET work_mem = '8MB' SET application_name = 'a;b''c"d\e'
    AS $_$ /* a /* nested */ ; comment */ SELECT $1 -- ; 'unclosed
    $_$;
CREATE FUNCTION shop.dollars() RETURNS text LANGUAGE plpgsql AS $a$
BEGIN
    EXECUTE $b$ SELECT $$;$$ $b$;
    RETURN $_$ $ab$ $$ ; END; $_$ || '$a' || 'BEGIN; CASE';
    -- ends here: END $
END $a$;
COMMENT ON FUNCTION shop.dollars() IS $c$it's $$ \ "quoted" ; $c$;
CREATE FUNCTION shop.outs(IN a int, OUT b int, INOUT c text, OUT d shop.mood) RETURNS SETOF record
    LANGUAGE plpgsql ROWS 17 SECURITY DEFINER AS 'BEGIN b := a; d := ''sad''; RETURN NEXT; END';
CREATE FUNCTION shop.as_table(n int) RETURNS TABLE ("x y" int, z text) LANGUAGE sql AS 'SELECT i, i::text FROM generate_series(1, n) i';
CREATE FUNCTION shop.poly(anyelement, anyarray) RETURNS anyelement LANGUAGE sql WINDOW AS 'SELECT $1';
DROP FUNCTION shop.poly(anyelement, anyarray);
CREATE FUNCTION shop.poly(anyelement, anyarray) RETURNS anyelement LANGUAGE sql CALLED ON NULL INPUT AS 'SELECT $1';
CREATE FUNCTION shop.from_c(internal) RETURNS internal LANGUAGE internal STRICT AS 'int8_avg_accum_inv';
DROP FUNCTION shop.from_c(internal);

-- SQL-standard bodies: their semicolons end nothing, their CASE … END neither.
CREATE FUNCTION shop.atomic(a int, b text DEFAULT ';') RETURNS text LANGUAGE sql BEGIN ATOMIC
    SELECT CASE WHEN a > 1 THEN 'end;' WHEN a = 1 THEN CASE b WHEN 'begin' THEN 'x' ELSE $$y;END;$$ END ELSE "b" || '; END' END;
    SELECT b || ';' || (CASE WHEN a IS NULL THEN 0 ELSE 1 END)::text AS "end";
END;
CREATE FUNCTION shop.returns_one(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN CASE WHEN a > 0 THEN a ELSE -a END;
CREATE FUNCTION shop.nothing_at_all() RETURNS void LANGUAGE sql BEGIN ATOMIC END;
CREATE TABLE shop.log (at timestamptz DEFAULT now(), what text);
CREATE PROCEDURE shop.note(what text, INOUT done boolean DEFAULT false) LANGUAGE sql BEGIN ATOMIC
    INSERT INTO shop.log (what) VALUES (what);
    INSERT INTO shop.log (what) VALUES (CASE WHEN what = 'begin atomic;' THEN 'end' ELSE 'end;' END);
    SELECT true;
END;
CREATE PROCEDURE shop.tidy() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM shop.log; COMMIT; END $$;
COMMENT ON PROCEDURE shop.tidy() IS 'cleans; up';
GRANT EXECUTE ON PROCEDURE shop.tidy() TO "everything reader";
REVOKE ALL ON FUNCTION shop.atomic(int, text) FROM PUBLIC;
ALTER FUNCTION shop.atomic(int, text) OWNER TO everything_owner;

CREATE AGGREGATE shop.total(numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = '0', PARALLEL = SAFE, COMBINEFUNC = numeric_add,
    MSFUNC = numeric_add, MINVFUNC = numeric_sub, MSTYPE = numeric, MINITCOND = '0');
CREATE AGGREGATE shop.percentile(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE shop."largest; of all"(int) (SFUNC = int4larger, STYPE = int, SORTOP = >);
COMMENT ON AGGREGATE shop.total(numeric) IS 'all of it';

CREATE FUNCTION shop.near(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT abs($1 - $2) < 2';
CREATE OPERATOR shop.=~ (FUNCTION = shop.near, LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR(shop.=~), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR shop.!!@ (FUNCTION = shop.returns_one, RIGHTARG = int);
COMMENT ON OPERATOR shop.=~ (int, int) IS 'about';
ALTER OPERATOR shop.=~ (int, int) OWNER TO everything_owner;
CREATE FUNCTION shop.backwards(int, int) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR FAMILY shop.backward USING btree;
CREATE OPERATOR CLASS shop.backward_ops FOR TYPE int USING btree FAMILY shop.backward AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 shop.backwards(int, int);
CREATE OPERATOR FAMILY shop.loose USING hash;
ALTER OPERATOR FAMILY shop.backward USING btree ADD FUNCTION 2 (int, int) btint4sortsupport(internal);
COMMENT ON OPERATOR CLASS shop.backward_ops USING btree IS 'greatest first';
COMMENT ON OPERATOR FAMILY shop.backward USING btree IS 'a family';

CREATE FUNCTION shop.address_text(shop.address) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).street';
CREATE CAST (shop.address AS text) WITH FUNCTION shop.address_text(shop.address) AS ASSIGNMENT;
CREATE CAST (shop.label AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS shop.label) WITH INOUT;
COMMENT ON CAST (shop.address AS text) IS 'street only';
CREATE CONVERSION shop.to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION shop.to_utf8 IS 'again';

CREATE TEXT SEARCH DICTIONARY shop.plain (TEMPLATE = pg_catalog.simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY shop."snow ball" (TEMPLATE = pg_catalog.snowball, LANGUAGE = german);
CREATE TEXT SEARCH PARSER shop.parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, HEADLINE = prsd_headline, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE shop.template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH CONFIGURATION shop.german (PARSER = shop.parser);
ALTER TEXT SEARCH CONFIGURATION shop.german ADD MAPPING FOR asciiword, word WITH shop.plain, shop."snow ball";
COMMENT ON TEXT SEARCH CONFIGURATION shop.german IS 'words';
COMMENT ON TEXT SEARCH DICTIONARY shop.plain IS 'plain';
COMMENT ON TEXT SEARCH PARSER shop.parser IS 'the default''s';
COMMENT ON TEXT SEARCH TEMPLATE shop.template IS 'simple''s';

CREATE FUNCTION shop.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE TRUSTED LANGUAGE twin HANDLER shop.handler;
COMMENT ON LANGUAGE twin IS 'PL/pgSQL by another name';
CREATE FUNCTION shop.of_twin() RETURNS int LANGUAGE twin AS 'BEGIN RETURN 1; END';
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
COMMENT ON ACCESS METHOD heap_too IS 'heap';
CREATE FUNCTION shop.text_transform(internal) RETURNS internal LANGUAGE internal IMMUTABLE STRICT AS 'textlike_support';
CREATE TRANSFORM FOR ext.hstore LANGUAGE twin (FROM SQL WITH FUNCTION shop.text_transform(internal));

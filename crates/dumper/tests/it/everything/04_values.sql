-- Values at the edges of every type: each must come back byte for byte.
CREATE SCHEMA vals;
CREATE TABLE vals.bytes (i int, b bytea);
INSERT INTO vals.bytes SELECT i, decode(lpad(to_hex(i), 2, '0'), 'hex') FROM generate_series(0, 255) i;
INSERT INTO vals.bytes SELECT -1, string_agg(b, ''::bytea ORDER BY i) FROM vals.bytes;
INSERT INTO vals.bytes VALUES (-2, ''), (-3, NULL);
INSERT INTO vals.bytes SELECT -4, decode(repeat('00ff5c0a', 50000), 'hex');

-- Every character of the first two planes but for the surrogates, alone and among others.
CREATE TABLE vals.characters (i int PRIMARY KEY, c text);
INSERT INTO vals.characters SELECT i, chr(i) FROM generate_series(1, 12287) i;
INSERT INTO vals.characters SELECT i, chr(i) || 'x' || chr(i) FROM unnest(ARRAY[65279, 65533, 65534, 65535, 55295, 57344, 65536, 128024, 917631, 1114111, 8232, 8233, 133, 160]) i ON CONFLICT (i) DO UPDATE SET c = EXCLUDED.c;
INSERT INTO vals.characters SELECT -1, string_agg(c, '' ORDER BY i) FROM vals.characters;
CREATE TABLE vals.texts (i int GENERATED ALWAYS AS IDENTITY, t text, u varchar(200), c char(8));
INSERT INTO vals.texts (t, u, c) SELECT t, left(t, 200), left(t, 8) FROM unnest(ARRAY[
    '', ' ', '\.', E'\\.\n', E'\n\\.\n', E'\n\\.', '\N', '\\N', '\', '\\', '\\\', E'\t', E'\r', E'\n', E'\r\n', E'\\\n', E'a\\\nb', E'\b\f\v',
    E'\x01\x02\x1a\x1b\x7f', E'\x1a', '''', '"', '$$', '$tag$', '--', '/*', '*/', ';', E'\\connect x', E'\n\\connect x\n', '\unrestrict',
    E'COPY public.fake (id) FROM stdin;\n1\n\\.\n', '-- PostgreSQL database dump complete', E'\n--\n-- PostgreSQL database dump complete\n--\n',
    '{}', '{"a"}', 'NULL', 'null', E'\uFEFF', E'\uFEFFstart', U&'e\0301', U&'\+01F468\200D\+01F469\200D\+01F467', 'عربي עברית', '中文', '\x5c', '\134', '\t', '\n', '\r',
    'a	real tab', repeat('long ', 20000), repeat('\', 1001), repeat(E'\n', 1001), repeat('''', 333)]) AS t;
INSERT INTO vals.texts (t) VALUES (NULL);
CREATE TABLE vals."one\column" (t text);
INSERT INTO vals."one\column" VALUES (''), (NULL), ('\.'), (E'\\.\n\\.'), (' \. '), ('\N'), (E'\n'), ('x');

CREATE TABLE vals.floats (r real, d double precision);
INSERT INTO vals.floats VALUES ('NaN', 'NaN'), ('Infinity', 'Infinity'), ('-Infinity', '-Infinity'), ('-0', '-0'), (0, 0), (0.1, 0.1), ('1e-45', '5e-324'),
    ('3.4028235e38', '1.7976931348623157e308'), (16777217, 9007199254740993), (1.17549435e-38, 2.2250738585072014e-308), (NULL, 0.30000000000000004);
CREATE TABLE vals.numbers (s smallint, i int, b bigint, n numeric, p numeric(1000, 500), m money);
INSERT INTO vals.numbers VALUES (-32768, -2147483648, -9223372036854775808, 'NaN', 0, '-92233720368547758.08'), (32767, 2147483647, 9223372036854775807, 'Infinity', 1, '92233720368547758.07'),
    (0, 0, 0, '-Infinity', -1, 0), (NULL, NULL, NULL, repeat('9', 5000)::numeric, (repeat('9', 500) || '.' || repeat('1', 500))::numeric, NULL),
    (1, 1, 1, ('0.' || repeat('0', 4000) || '1')::numeric, NULL, 1), (1, 1, 1, 1.10, 1.10, 1), (1, 1, 1, 1.100, 1.100, 1), (1, 1, 1, 0.00, NULL, NULL);
CREATE TABLE vals.times (d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval, p timestamp(0));
INSERT INTO vals.times VALUES ('infinity', '24:00:00', '23:59:59.999999+15:59:59', 'infinity', 'infinity', '178000000 years', '2000-01-01'),
    ('-infinity', '00:00', '00:00-15:59:59', '-infinity', '-infinity', '-178000000 years', NULL),
    ('4713-01-01 BC', '23:59:59.999999', '12:00+00', '4713-01-01 00:00:00 BC', '0044-03-15 12:00:00+00 BC', '1 mon -1 day +00:00:00.000001', '1999-12-31 23:59:59.5'),
    ('5874897-12-31', '12:34:56.7', '12:34:56.7-03:30', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '-1 mon +1 day -00:00:00.5', NULL),
    ('0001-01-01', NULL, NULL, '1582-10-10', '1883-11-18 12:03:57-04:56:02', '0', NULL), (NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE vals.documents (j json, b jsonb, p jsonpath, x xml, h ext.hstore);
INSERT INTO vals.documents VALUES ('{ "a" : 1, "a": [ "\u00e9", "\\", "\n", "\"" , 1.50, 1e400 ], "" : null }', '{"b": "\\u0041 \\. \n\t", "a": [1.50, 1e400, -0.0, true, null, {}], "é": "\"\u0001"}',
    '$.a[*] ? (@.b > 1 && @ starts with "x;")', '<a b="1">&lt;\.<!-- ; --><![CDATA[\]]></a>', 'a=>1, "b c"=>NULL, "\"q\""=>"it''s; \\ "'::ext.hstore),
    ('"top"', 'null', 'lax $', '<?xml version="1.0"?><r/>', ''), ('[]', '[]', 'strict $.*', 'only text', NULL);
CREATE TABLE vals.arrays (i int[], t text[], m int[][][], c shop.address[], d shop.mood[], e shop.email[], n shop.nested, g numeric[]);
INSERT INTO vals.arrays VALUES ('{}', ARRAY['', NULL, 'NULL', 'null', '{', '}', ',', '"', '\', ' ', E'\n', '\.', 'ü', E'\t', '\N'], '[2:3][-1:0][5:5]={{{1},{2}},{{3},{NULL}}}',
    ARRAY[ROW('a, "b" (c) \', NULL, ARRAY['', 'with "quotes"']::shop.mood[])::shop.address, NULL], ARRAY['it''s ok', '', E'new\nline', 'back\slash']::shop.mood[], ARRAY['a@b']::shop.email[],
    ROW(ROW('', 1, NULL), ARRAY[ROW(NULL, NULL, NULL)]::shop.address[])::shop.nested, '{NaN,Infinity,1.10}');
INSERT INTO vals.arrays (i, t) VALUES (NULL, '{}'), ('[-2147483647:-2147483646]={1,2}', '{{a,b},{c,d}}');
CREATE TABLE vals.ranges (i int4range, n numrange, t tstzrange, d daterange, m int4multirange, c shop.cents_range, cm shop."cents multirange", x shop.text_range, nm nummultirange);
INSERT INTO vals.ranges VALUES ('empty', '(,)', '["2020-01-01 00:00+00",infinity)', '(,2020-01-01]', '{}', '[1,5]', '{[1,2),[5,9)}', '["a, ""b"" \\",)', '{(,1.10],[2,NaN]}'),
    ('[1,)', '[1.0,1.00]', '(-infinity,)', '[2020-01-01,2020-01-01]', '{[1,3),[5,)}', NULL, '{(,)}', '("",z)', '{}'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE vals.others (u uuid, b bit(5), vb bit varying, f boolean, n name, q "char", o oid, x xid, x8 xid8, r regclass, pl pg_lsn, i inet, c cidr, m macaddr, m8 macaddr8, v tsvector, tq tsquery,
    ci "S 1".citext, lt ext.ltree, cu cube, s pg_snapshot, tid tid, label shop.label, rt regtype, ov oidvector);
INSERT INTO vals.others VALUES ('00000000-0000-0000-0000-000000000000', B'10101', B'', true, 'a name', 'c', 4294967295, '4294967295', '18446744073709551615', 'shop.customer', 'FFFFFFFF/FFFFFFFF',
    '::ffff:1.2.3.4/96', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', $$'it''s':1A,2B 'back\slash' 'a b':3$$, $$'a b' <-> !c:*AB & 'it''s'$$, 'CaSe', 'Top.Sub_1', '(1,2),(3,4)', '10:20:10,14,15', '(1,2)', 'a|b', 'text[]', '1 2 3'),
    (NULL, NULL, B'0001', false, '', '', 0, '0', '0', NULL, '0/0', '2001:db8::/32', '::/0', NULL, NULL, '', '', '', '', NULL, NULL, NULL, '', NULL, NULL),
    (NULL, NULL, NULL, NULL, repeat('ü', 31), E'\\', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE vals.shapes (p point, l line, s lseg, b box, pa path, po polygon, c circle);
INSERT INTO vals.shapes VALUES ('(1e-300,-0)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1),(2,0))', '<(0,0),1>'),
    ('(NaN,Infinity)', '{0,-1,0}', NULL, NULL, '[(0,0)]', NULL, '<(0.1,0.2),0>');

-- Large objects: empty, one byte, several pages with a hole, owned, granted, commented.
SELECT lo_create(700001), lo_create(700002), lo_create(700003), lo_from_bytea(700004, decode(repeat('00ff5c27', 40000), 'hex'));
SELECT lo_put(700002, 0, 'x'), lo_put(700003, 100000, 'after a hole');
ALTER LARGE OBJECT 700004 OWNER TO everything_owner;
GRANT SELECT ON LARGE OBJECT 700004 TO "everything reader";
GRANT ALL ON LARGE OBJECT 700002 TO PUBLIC;
COMMENT ON LARGE OBJECT 700003 IS 'it''s large; \. ';
CREATE TABLE vals.refers (lo oid);
INSERT INTO vals.refers VALUES (700004);

-- Names that want quotes, and what a dump's comments make of them.
CREATE TABLE "S 1"."it's ""odd"".$x$" ("a b" int, "select" int, "ü" int, "$1" int, "a;b" int, "--" int, "/*" int, "\" int, "$$" int, "'" int, "A" int, "a" int);
INSERT INTO "S 1"."it's ""odd"".$x$" VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE "S 1"."COPY x FROM stdin;" (id int);
INSERT INTO "S 1"."COPY x FROM stdin;" VALUES (1);
CREATE TABLE "S 1"."a
new line; COPY public.fake FROM stdin;
\connect x" ("col
umn" int, "tab	tab" int);
INSERT INTO "S 1"."a
new line; COPY public.fake FROM stdin;
\connect x" VALUES (1, 2);
CREATE TABLE "S 1"."sixty-three bytes of a name, which is all that a name may have." (
    "sixty-three bytes of a column, all that a column name can have." int PRIMARY KEY, "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ" text);
INSERT INTO "S 1"."sixty-three bytes of a name, which is all that a name may have." VALUES (1, 'x');
CREATE TABLE "ünïcode 🐘"."таблица" ("столбец" int, "列" text);
INSERT INTO "ünïcode 🐘"."таблица" VALUES (1, '值');
CREATE TABLE "S 1"."table" ("table" int, "user" int, "from" text);
INSERT INTO "S 1"."table" VALUES (1, 2, 'x');
CREATE TABLE "S 1"."begin atomic" ("end" int, "case" int CHECK (CASE WHEN "case" > 0 THEN true ELSE "end" > 0 END));
CREATE TABLE "S 1"." leading and trailing " (" x " int);
CREATE TABLE "S 1"."""" ("""" int);
INSERT INTO "S 1"."""" VALUES (1);
CREATE TABLE "S 1"."pg_catalog.pg_class" (id int);
CREATE VIEW "S 1"."view; of ""odd""" AS SELECT "a b" AS "x ""y""", '\.'::text AS "COPY" FROM "S 1"."it's ""odd"".$x$";
CREATE INDEX "S 1's index; -- no" ON "S 1"."it's ""odd"".$x$" ("a b", "--");
CREATE FUNCTION "S 1"."f(x"("p 1" int, "out" text DEFAULT 'a)b') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SEQUENCE "S 1"."seq's";
COMMENT ON TABLE "S 1"."""" IS 'a quote';

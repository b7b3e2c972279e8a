-- Schemas, extensions, and types of every kind.
CREATE SCHEMA shop AUTHORIZATION everything_owner;
CREATE SCHEMA "S 1";
CREATE SCHEMA "ext";
CREATE SCHEMA "ünïcode 🐘";
COMMENT ON SCHEMA shop IS 'what the shop sells';
GRANT USAGE ON SCHEMA shop TO "everything reader" WITH GRANT OPTION;
GRANT CREATE, USAGE ON SCHEMA "S 1" TO PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO "everything reader";

CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION citext SCHEMA "S 1";
CREATE EXTENSION ltree SCHEMA ext;
CREATE EXTENSION btree_gist SCHEMA ext;
CREATE EXTENSION btree_gin;
CREATE EXTENSION intarray;
CREATE EXTENSION cube;
CREATE EXTENSION earthdistance;
CREATE EXTENSION unaccent;
CREATE EXTENSION pgcrypto SCHEMA ext;
CREATE EXTENSION file_fdw;
CREATE EXTENSION tablefunc;
COMMENT ON EXTENSION ltree IS 'a comment of our own';

CREATE TYPE shop.mood AS ENUM ('sad', 'it''s ok', 'with "quotes"', '', 'back\slash', 'ünï', E'new\nline',
    'sixty-three bytes are the limit of a label, this one is at it..');
ALTER TYPE shop.mood OWNER TO everything_owner;
COMMENT ON TYPE shop.mood IS 'labels; with a semicolon';
CREATE TYPE shop.nothing AS ENUM ();
CREATE TYPE public.mood AS ENUM ('a');
ALTER TYPE public.mood ADD VALUE 'before a' BEFORE 'a';

CREATE TYPE shop.shell;
CREATE TYPE shop.address AS (street text COLLATE "C", "House No" int, extra shop.mood[]);
COMMENT ON COLUMN shop.address."House No" IS 'of a composite type';
CREATE TYPE shop.nested AS (home shop.address, others shop.address[]);
CREATE TYPE shop.no_attributes AS ();
GRANT USAGE ON TYPE shop.address TO "everything reader";
REVOKE USAGE ON TYPE shop.mood FROM PUBLIC;

CREATE FUNCTION shop.cents_distance(bigint, bigint) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ($1 - $2)::float8';
CREATE TYPE shop.cents_range AS RANGE (
    SUBTYPE = bigint, SUBTYPE_DIFF = shop.cents_distance, MULTIRANGE_TYPE_NAME = shop."cents multirange");
CREATE TYPE shop.text_range AS RANGE (SUBTYPE = text, COLLATION = "C");

CREATE DOMAIN shop.email AS text COLLATE "C" DEFAULT 'nobody@example.com' NOT NULL
    CONSTRAINT "has an @" CHECK (VALUE LIKE '%@%') CONSTRAINT "no space; at all" CHECK (VALUE !~ '\s');
CREATE DOMAIN shop.short_email AS shop.email CHECK (length(VALUE) < 40);
CREATE DOMAIN shop.prices AS numeric(12, 2)[] CHECK (array_position(VALUE, -1) IS NULL);
CREATE DOMAIN shop.later AS int;
ALTER DOMAIN shop.later ADD CONSTRAINT "not checked yet" CHECK (VALUE <> 13) NOT VALID;
COMMENT ON DOMAIN shop.email IS E'a domain''s comment\n-- with a line that looks like one';
COMMENT ON CONSTRAINT "has an @" ON DOMAIN shop.email IS 'a constraint''s';
ALTER DOMAIN shop.prices OWNER TO "Weird ""Role""'s";

-- A base type, with input and output borrowed from text.
CREATE TYPE shop.label;
CREATE FUNCTION shop.label_in(cstring) RETURNS shop.label LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION shop.label_out(shop.label) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE shop.label (INPUT = shop.label_in, OUTPUT = shop.label_out, LIKE = text, CATEGORY = 'S', DELIMITER = '|', COLLATABLE = true);

CREATE COLLATION shop."german; sort of" (LOCALE = 'C');
CREATE COLLATION shop.copied FROM "C";
COMMENT ON COLLATION shop.copied IS 'copied';
ALTER COLLATION shop.copied OWNER TO everything_owner;

---
-- PostgreSQL database dump
--

\restrict CtAxLk5e3fL6c8EFH4htQCBA5fwUveIy0BWnTrXzVQYJDzomkjuPvZG90QgA06S

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: S 1; Type: SCHEMA; Schema: -; Owner: postgres
--

CREATE SCHEMA "S 1";


ALTER SCHEMA "S 1" OWNER TO postgres;

--
-- Name: atomic(integer); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION public.atomic(a integer) RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN (a > 1) THEN 1
             ELSE 2
         END AS "case";
 SELECT 3;
END;


ALTER FUNCTION public.atomic(a integer) OWNER TO postgres;

--
-- Name: plain(integer); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION public.plain(a integer) RETURNS integer
    LANGUAGE plpgsql
    AS $_$begin perform $$;'$$; return $1; end;$_$;


ALTER FUNCTION public.plain(a integer) OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: T "x"; Type: TABLE; Schema: S 1; Owner: postgres
--

CREATE TABLE "S 1"."T ""x""" (
    id integer NOT NULL,
    t text,
    b bytea
);


ALTER TABLE "S 1"."T ""x""" OWNER TO postgres;

--
-- Name: T "x"_id_seq; Type: SEQUENCE; Schema: S 1; Owner: postgres
--

ALTER TABLE "S 1"."T ""x""" ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME "S 1"."T ""x""_id_seq"
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: nothing; Type: TABLE; Schema: public; Owner: Own er
--

CREATE TABLE public.nothing (
);


ALTER TABLE public.nothing OWNER TO "Own er";

--
-- Name: v; Type: VIEW; Schema: public; Owner: postgres
--

CREATE VIEW public.v AS
 SELECT id,
    (t || '\;'::text) AS u
   FROM "S 1"."T ""x""";


ALTER VIEW public.v OWNER TO postgres;

--
-- Name: VIEW v; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON VIEW public.v IS 'a comment; -- no
/* comment */ ''quoted'' \';


--
-- Data for Name: T "x"; Type: TABLE DATA; Schema: S 1; Owner: postgres
--

COPY "S 1"."T ""x""" (id, t, b) FROM stdin;
1	tab\there	\\x00ff27
2	back\\slash	\N
3	new\nline	\\x5c2e0a
4	\\.	\\x
5	it's; $$	\\x
\.


--
-- Data for Name: nothing; Type: TABLE DATA; Schema: public; Owner: Own er
--

COPY public.nothing  FROM stdin;

\.


--
-- Name: T "x"_id_seq; Type: SEQUENCE SET; Schema: S 1; Owner: postgres
--

SELECT pg_catalog.setval('"S 1"."T ""x""_id_seq"', 5, true);


--
-- Name: 16403; Type: BLOB METADATA; Schema: -; Owner: postgres
--

SELECT pg_catalog.lo_create('16403');

ALTER LARGE OBJECT 16403 OWNER TO postgres;

--
-- Data for Name: 16403; Type: BLOBS; Schema: -; Owner: postgres
--

BEGIN;

SELECT pg_catalog.lo_open('16403', 131072);
SELECT pg_catalog.lowrite(0, '\x0102ff');
SELECT pg_catalog.lo_close(0);

COMMIT;

--
-- Name: T "x" T "x"_pkey; Type: CONSTRAINT; Schema: S 1; Owner: postgres
--

ALTER TABLE ONLY "S 1"."T ""x"""
    ADD CONSTRAINT "T ""x""_pkey" PRIMARY KEY (id);


--
-- Name: nothing p; Type: POLICY; Schema: public; Owner: Own er
--

CREATE POLICY p ON public.nothing USING (true);


--
-- PostgreSQL database dump complete
--

\unrestrict CtAxLk5e3fL6c8EFH4htQCBA5fwUveIy0BWnTrXzVQYJDzomkjuPvZG90QgA06S


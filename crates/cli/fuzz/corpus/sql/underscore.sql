._timeout = 0;
SELECT a._b FROM c._d;

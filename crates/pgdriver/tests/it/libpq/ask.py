"""For each line {"dsn": ..., "home": ...} on stdin: how psycopg fares, as a line of JSON."""

import json
import os
import sys

import psycopg


def ask(cell):
    os.environ["HOME"] = cell["home"]
    try:
        connection = psycopg.connect(cell["dsn"])
    except Exception as error:
        return {"error": str(error)}
    with connection:
        return {"tls": bool(connection.pgconn.ssl_in_use)}


print(json.dumps({"libpq": psycopg.pq.version()}), flush=True)
for line in sys.stdin:
    print(json.dumps(ask(json.loads(line))), flush=True)

"""For each line {"dsn", "home", "variables", "sql"} on stdin: how psycopg fares, as a line of JSON."""

import json
import os
import sys

import psycopg


def ask(cell):
    os.environ.clear()
    os.environ.update(cell["variables"], HOME=cell["home"])
    try:
        connection = psycopg.connect(cell["dsn"])
    except Exception as error:
        return {"error": str(error)}
    with connection:
        said = connection.execute(cell["sql"]).fetchone()[0] if cell["sql"] else ""
        return {"tls": bool(connection.pgconn.ssl_in_use), "said": said}


print(json.dumps({"libpq": psycopg.pq.version()}), flush=True)
for line in sys.stdin:
    print(json.dumps(ask(json.loads(line))), flush=True)

"""Each statement of the selected alias: announced, run with the settings that it was given, and its end told.

Absent here: which settings, and whether a statement that failed runs again; a word says so.
"""

import contextlib
import os
import time


class Statements:
    """An execute wrapper of Django's, which sees every statement that goes through a cursor of Django's."""

    def __init__(self, bridge, stop, words):
        self.send = bridge.send
        self.stepwise = bridge.request["stepwise"]
        self.stop = stop
        self.words = words
        self.number = 0
        self.attempt = None
        self.pools = bridge.pools
        self.process = os.getpid()

    def watch(self, connection):
        if self.run not in connection.execute_wrappers:
            connection.execute_wrappers.append(self.run)

    def run(self, execute, sql, params, many, context):
        connection = context["connection"]
        if os.getpid() != self.process:
            return execute(sql, params, many, context)
        if many and self.stepwise:
            params = list(params)  # a generator would be empty at the second try
        while True:
            try:
                return self.once(connection, text_of_sql(connection, sql), lambda: execute(sql, params, many, context))
            except Exception as exc:
                if not self.asks(connection, exc) or self.words.wait_for("retry", "give_up")["word"] == "give_up":
                    raise

    def asks(self, connection, exc):
        """Only where nothing but this statement is lost with it."""
        return (self.stepwise and self.stop.asked != "now" and not is_gone(connection, exc)
                and not in_transaction(connection))

    def once(self, connection, sql, execute):
        self.begin()
        self.number += 1
        number = self.number
        app, name = self.attempt.names if self.attempt else (None, None)
        self.send("statement_started", number=number, app=app, name=name, sql=sql,
                  in_transaction=in_transaction(connection))
        began = time.perf_counter()
        word = {}
        try:
            if self.stepwise:
                word = self.words.wait_for("go", "skip")
                began = time.perf_counter()
                if word["word"] == "skip":
                    self.send("statement_skipped", number=number)
                    return None
            self.stop.running = connection.connection
            try:
                with self.pooled(connection, sql):
                    if self.stepwise:
                        self.send("statement_running", number=number,
                                  settings=self.put_in_force(connection, word.get("settings")))
                    result = self.sent(connection, sql, execute)
            finally:
                self.stop.ends()
        except BaseException as exc:
            if not is_gone(connection, exc):
                with contextlib.suppress(Exception):
                    self.put_in_force(connection, word.get("afterwards"))
            self.send("statement_failed", number=number, seconds=rounded(time.perf_counter() - began),
                      exception=described(exc), **self.where(connection, exc))
            raise
        self.send("statement_finished", number=number, seconds=rounded(time.perf_counter() - began))
        self.put_in_force(connection, word.get("afterwards"))  # for what no hook sees: COPY, a driver's own cursor
        return result

    def put_in_force(self, connection, settings):
        return put_in_force(connection, settings or {}, connection.alias in self.pools)

    def begin(self):
        """A stop that waits for a COMMIT to be recorded need not wait where a migration is not one transaction."""
        if self.attempt is None or not (self.attempt.recording or self.attempt.atomic):
            self.stop.held = False
        self.stop.check()

    def pooled(self, connection, sql):
        """What a migration does outside a transaction, it does so for a reason."""
        pool = self.pools.get(connection.alias)
        if pool is None or (self.attempt and not self.attempt.atomic and not self.attempt.recording
                            and not in_transaction(connection)):
            return contextlib.nullcontext()
        return pool.around(connection, sql)

    def sent(self, connection, sql, execute):
        inside = in_transaction(connection)
        if self.attempt and inside and may_end_transaction(sql):
            self.attempt.commits += 1
        try:
            return execute()
        finally:
            if self.attempt and inside and transaction_status(connection.connection) == IDLE:
                self.attempt.commits += 1  # its own words, or those of a driver's cursor, ended the transaction

    def where(self, connection, exc):
        if is_gone(connection, exc):
            return {"in_transaction": False, "asks": False}
        inside = in_transaction(connection)
        return {"in_transaction": inside, "asks": isinstance(exc, Exception) and self.asks(connection, exc)}


def text_of_sql(connection, sql):
    """psycopg.sql's objects show their parts where they are asked for a string."""
    if hasattr(sql, "as_string"):
        with contextlib.suppress(Exception):
            return sql.as_string(connection.connection)
    return sql.decode(errors="replace") if isinstance(sql, bytes) else str(sql)

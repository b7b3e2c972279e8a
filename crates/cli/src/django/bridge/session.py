"""One call of the bridge, and what each PostgreSQL connection that Django opens during it is told.

Absent here: which settings a session gets; the request says that.
"""

import threading
import time


class Bridge:
    """One call: the request, the way to answer, and the times that every answer needs."""

    def __init__(self, request, answers):
        self.request = request
        self.answers = answers
        self.send = answers.send
        self.began = time.perf_counter()
        self.alias = request["database"]
        self.inspecting = request["action"] == "inspect"
        self.parts = set(request["parts"])
        self.finished = False
        self.sound_graph = True
        self.drifted_from = None
        self.pools = {}  # alias: Pool

    def problem(self, phase, kind, message, members=(), exc=None):
        self.send("problem", phase=phase, **{"class": kind}, message=message, members=list(members),
                  exception=None if exc is None else described(exc))

    def bye(self):
        self.finished = True
        self.send("bye", seconds=rounded(time.perf_counter() - self.began), cpu_seconds=rounded(cpu_seconds()))


class Sessions:
    """Sets the wanted server settings on each new PostgreSQL connection, and reads them back.

    By SET and not by PGOPTIONS, since settings with OPTIONS["options"] silently replace PGOPTIONS. Nothing is set
    before it is known whether a transaction pooler stands in between, through which SET would leak to other clients:
    there the settings go into each transaction (pooler.py).
    """

    def __init__(self, bridge):
        self.bridge = bridge
        self.opened = []  # called with (connection)

    def listen(self):
        from django.db.backends.signals import connection_created

        connection_created.connect(self.created, weak=False, dispatch_uid="django-migrate")

    def wanted(self, connection):
        settings = {}
        if self.bridge.inspecting:
            settings["default_transaction_read_only"] = "on"
        if connection.alias == self.bridge.alias:
            settings.update((name, value) for name, value in self.bridge.request["session"])
        return settings

    def created(self, sender, connection, **_):
        if connection.vendor != "postgresql":
            return
        wanted = self.wanted(connection)
        # The driver's own cursor: neither Django's wrappers nor its query log should see these.
        raw = connection.connection
        keep_alive(raw)
        pid = backend_pid(raw)
        pooled = connection.alias in self.bridge.pools or pools_transactions(connection, pid)
        settings = self.pool(connection, wanted) if pooled else self.set(raw, wanted)
        if not connection.get_autocommit():
            raw.commit()
        self.connected(connection, pid, settings)
        if connection.alias == self.bridge.alias:
            if runs_migrations(connection):
                for call in self.opened:
                    call(connection)
            elif pooled:
                self.wrap(connection)

    def set(self, raw, wanted):
        with raw.cursor() as cursor:
            for name, value in wanted.items():
                # A name that this server does not know (a setting of a later version) selects nothing.
                cursor.execute("SELECT set_config(name, %s::text, false) FROM pg_settings"
                               " WHERE lower(name) = lower(%s::text)", [value, name])
            cursor.execute("SELECT name, current_setting(name) FROM pg_settings WHERE lower(name) = ANY(%s::text[])",
                           [[name.lower() for name in wanted]])
            return {row[0]: row[1] for row in cursor.fetchall()}

    def pool(self, connection, wanted):
        """Nothing is in force before there is a transaction."""
        if wanted.pop("default_transaction_read_only", None):
            wanted["transaction_read_only"] = "on"
        wanted = {name: value for name, value in wanted.items() if not name.startswith("tcp_")}  # the pooler's own
        if connection.alias not in self.bridge.pools:
            self.bridge.pools[connection.alias] = Pool(connection, wanted, None if self.bridge.inspecting else
                                                       self.connected)
        if self.bridge.inspecting:
            self.wrap(connection)
        return {}

    def wrap(self, connection):
        run = self.bridge.pools[connection.alias].run
        if run not in connection.execute_wrappers:
            connection.execute_wrappers.append(run)

    def connected(self, connection, pid, settings):
        if connection.alias == self.bridge.alias:
            self.bridge.send("connected", alias=connection.alias, backend_pid=pid, settings=settings,
                             pooled=connection.alias in self.bridge.pools, beside=not runs_migrations(connection))


def runs_migrations(connection):
    """Not a thread's own connection, nor a copy, which code of a migration works with: nobody is asked about those, since
    several may run at once, and one may wait for another. Their sessions have the timeouts."""
    from django.db import connections

    return threading.current_thread() is threading.main_thread() and connection is connections[connection.alias]

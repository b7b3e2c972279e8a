"""The project's own `migrate`, watched: statements, migrations, and the error that ends it.

Absent here: retries, and any change to what the command does.
"""

import time


class MigrateHooks:
    """Watches statements and migrations of the selected alias, and holds a stop while a commit is being recorded."""

    def __init__(self, bridge, stop):
        self.bridge = bridge
        self.send = bridge.send
        self.stop = stop
        agreed = bridge.request["agreed"]
        self.agreed = None if agreed is None else {named((m["app"], m["name"])): m["source_sha256"] for m in agreed}
        self.number = 0
        self.current = (None, None)
        self.recording = False
        self.reported = []  # exceptions that were said already
        self.command_error = None

    def install(self):
        from django.core.management.base import BaseCommand
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.migrations.executor import MigrationExecutor

        self.wrap(MigrationExecutor, "migrate", self.plan)
        self.wrap(MigrationExecutor, "apply_migration", self.migration(backward=False))
        self.wrap(MigrationExecutor, "unapply_migration", self.migration(backward=True))
        self.wrap(MigrationExecutor, "record_migration", self.record)
        self.wrap(BaseDatabaseWrapper, "_commit", self.commit)
        self.wrap(BaseCommand, "execute", self.command)

    def wrap(self, cls, name, around):
        real = getattr(cls, name)

        def wrapper(obj, *args, **kwargs):
            return around(real, obj, *args, **kwargs)

        wrapper.__name__ = name
        wrapper.__wrapped__ = real
        setattr(cls, name, wrapper)

    def watch(self, connection):
        if self.statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(self.statement)

    def statement(self, execute, sql, params, many, context):
        if not self.recording:
            self.stop.held = False
            self.stop.check()
        connection = context["connection"]
        self.number += 1
        number, (app, name) = self.number, self.current
        self.send("statement_started", number=number, app=app, name=name, sql=str(sql),
                  in_transaction=bool(connection.in_atomic_block))
        began = time.perf_counter()
        try:
            if self.bridge.request["stepwise"]:
                self.stop.wait_for_go()
                began = time.perf_counter()
            self.stop.running = connection.connection
            try:
                result = execute(sql, params, many, context)
            finally:
                self.stop.running = None
        except BaseException as exc:
            self.send("statement_failed", number=number, seconds=rounded(time.perf_counter() - began),
                      exception=described(exc))
            raise
        self.send("statement_finished", number=number, seconds=rounded(time.perf_counter() - began))
        return result

    def plan(self, real, executor, targets, plan=None, *args, **kwargs):
        """The whole plan is held against what was agreed to before the first of it runs."""
        if executor.connection.alias == self.bridge.alias:
            for migration, backward in plan or []:
                self.check_agreed(migration, backward)
        return real(executor, targets, plan, *args, **kwargs)

    def check_agreed(self, migration, backward):
        if self.agreed is None:
            return
        name = named((migration.app_label, migration.name))
        if backward or name not in self.agreed:
            why = "`%s` is not in the plan that was agreed to" % name
        elif self.agreed[name] != source_sha256(migration):
            why = "the file of `%s` is not the one that was agreed to" % name
        else:
            return
        self.bridge.problem("migrate", "plan-changed", why, [name])
        raise CleanStop

    def migration(self, backward):
        def around(real, executor, state, migration, *args, **kwargs):
            if executor.connection.alias != self.bridge.alias:
                return real(executor, state, migration, *args, **kwargs)
            self.check_agreed(migration, backward)
            if self.stop.asked == "after":
                raise CleanStop
            names = {"app": migration.app_label, "name": migration.name, "backward": backward}
            self.current = (migration.app_label, migration.name)
            self.send("migration_started", atomic=bool(migration.atomic), **names)
            began = time.perf_counter()
            try:
                result = real(executor, state, migration, *args, **kwargs)
            except BaseException as exc:
                self.stop.held = False
                self.reported.append(exc)
                self.send("migration_failed", seconds=rounded(time.perf_counter() - began),
                          exception=described(exc), **names)
                raise
            finally:
                self.current = (None, None)
            self.send("migration_applied", seconds=rounded(time.perf_counter() - began), **names)
            self.stop.held = False
            self.stop.check()
            return result
        return around

    def record(self, real, executor, *args, **kwargs):
        self.recording = True
        try:
            return real(executor, *args, **kwargs)
        finally:
            self.recording = False

    def commit(self, real, connection):
        if connection.alias == self.bridge.alias and self.current[0]:
            self.stop.held = True
            self.send("commit_started")
        return real(connection)

    def command(self, real, *args, **kwargs):
        """run_from_argv() turns a CommandError into text and sys.exit(); here it still is an exception."""
        try:
            return real(*args, **kwargs)
        except BaseException as exc:
            self.command_error = self.command_error or exc
            raise


def run_migrate(bridge, sessions, argv, real, reader):
    began = time.perf_counter()
    stop = Stop(bridge)
    hooks = MigrateHooks(bridge, stop)
    hooks.install()
    sessions.opened.append(hooks.watch)
    watch_open_connection(bridge, sessions)
    outcome, error = "done", None
    try:
        stop.listen(reader)
        real(argv)
    except SystemExit as exc:
        if exc.code not in (None, 0):
            outcome, error = "failed", hooks.command_error or exc
    except BaseException as exc:
        outcome, error = "failed", exc
    bridge.answers.after_write = None
    stop.held = stop.raised = True  # what follows is only talk
    if isinstance(error, CleanStop) or (error is not None and stop.asked == "now"):
        outcome = "stopped"
    elif error is not None and error not in hooks.reported:
        say_command_error(bridge, error)
    bridge.send("migrate_done", outcome=outcome, seconds=rounded(time.perf_counter() - began))


def watch_open_connection(bridge, sessions):
    """A connection that the project opened before the hooks were there."""
    from django.db import connections

    if bridge.alias not in connections.settings:
        bridge.problem("connect", "unknown-database", "DATABASES has no alias %r" % bridge.alias,
                       members=sorted(connections.settings))
        raise Answered
    connection = connections[bridge.alias]
    if connection.connection is not None:
        sessions.created(type(connection), connection)


def say_command_error(bridge, exc):
    from django.core.management.base import CommandError
    from django.db import OperationalError
    from django.db.migrations.exceptions import InconsistentMigrationHistory

    message = text_of(exc) if isinstance(exc, CommandError) else "%s: %s" % (type(exc).__name__, text_of(exc))
    if isinstance(exc, InconsistentMigrationHistory):
        kind, members = "inconsistent-history", []
    elif isinstance(exc, CommandError) and message.startswith("Conflicting migrations detected"):
        kind, members = "plan-conflict", []
    elif isinstance(exc, OperationalError) and sqlstate(exc) is None:
        kind, members = "connect-failed", []
    else:
        kind, _, members = graph_problem(exc)
    bridge.problem("migrate", kind, message, members, exc)

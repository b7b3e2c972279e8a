"""The Python side of django-migrate: reads, renders and runs what it is told, and answers in tagged JSON lines.

It starts the project as the project starts itself (its own manage.py or entry function, with
`django.core.management.execute_from_command_line` replaced), and then either looks at it (`inspect`, in read-only
sessions) or runs the project's own `migrate` with hooks. The protocol is described in wire.rs; the two change together.

How it is started: `PYTHON -c BOOTSTRAP LENGTH`. The bootstrap (bootstrap.py) duplicates descriptor 0, reads LENGTH
bytes of this script from it and executes them; it leaves the buffered `reader` behind, from which the request and the
words are read here. Nothing may be read from descriptor 0 in any other way, since `reader` holds what it read ahead.

Absent here, on purpose: decisions. Whether a fact is an error, a question or nothing, and what is done about it, is
Rust's to say. Also absent: anything beyond the standard library and Django's own API, and text for people.

Python 3.10 and later, Django 4.2 and later, psycopg 2 and 3. In reading order: the wire, errors, sessions, the start of
the project, databases and checks, graph and plan, what an operation sees (states), what the database will hold by then
(catalogue), SQL, drift and schema, migrate, main.
"""

import builtins
import importlib.machinery
import importlib.util
import json
import os
import re
import runpy
import signal
import sys
import threading
import time
import traceback
import warnings

PROTOCOL = 1
OLDEST_DJANGO = (4, 2)


# --- The wire -----------------------------------------------------------------------------------------------------


class Answers:
    """Writes answer lines to a private descriptor, whole and one at a time, without any known secret in free text."""

    # Free text, where a driver or a project may have quoted a password. Names and SQL are facts and stay as they are.
    TEXT = {"message", "cause", "detail", "hint", "traceback", "missing"}

    def __init__(self, descriptor, nonce):
        self.descriptor = descriptor
        self.prefix = "\x1e" + nonce + " "
        self.lock = threading.Lock()
        self.secrets = set()
        self.pattern = None
        self.writing = False
        self.after_write = None
        self.unread = None

    def send(self, kind, **fields):
        fields["kind"] = kind
        line = self.prefix + json.dumps(self.clean(fields), default=str, ensure_ascii=False) + "\n"
        # Lone surrogates (undecodable bytes in a path or message) are valid in Python and invalid in JSON for Rust.
        data = line.encode("utf-8", "replace")
        with self.lock:
            self.writing = True
            try:
                while data:
                    data = data[os.write(self.descriptor, data):]
            except OSError:
                # Nobody reads any more. Not raised here, where it could fall between a COMMIT and its record.
                if self.unread:
                    self.unread()
            finally:
                self.writing = False
        if self.after_write:
            self.after_write()

    def keep_secret(self, value):
        """Never lets this value out in free text again; ignored where it is no secret (empty, or one letter)."""
        if not isinstance(value, str) or len(value) < 2 or value in self.secrets:
            return
        from urllib.parse import quote

        self.secrets.update({value, quote(value, safe=""), repr(value)[1:-1]})
        # Short ones as whole words only: the password `shop` must not tear the table `shop_item` apart.
        patterns = [re.escape(secret) if len(secret) >= 8 else r"(?<!\w)%s(?!\w)" % re.escape(secret)
                    for secret in sorted(self.secrets, key=len, reverse=True)]
        self.pattern = re.compile("|".join(patterns))

    def scrub(self, text):
        return self.pattern.sub("***", text) if self.pattern else text

    def clean(self, value, text=False):
        if isinstance(value, str):
            return self.scrub(str(value)) if text else value
        if isinstance(value, dict):
            return {key: self.clean(item, text or key in self.TEXT) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(item, text) for item in value]
        return value


def take_standard_streams():
    """Returns a private duplicate of descriptor 1, and leaves nothing on 0 and 1 that the project could disturb."""
    answers = os.dup(1)  # not inheritable, so no child of the project can hold or write to it
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    return answers


def rounded(seconds):
    return round(seconds, 6)


def cpu_seconds():
    return sum(os.times()[:4])


# --- Errors -------------------------------------------------------------------------------------------------------


class Answered(Exception):
    """A problem was sent after which this part, or the whole call, cannot go on."""


def dotted(cls):
    module = cls.__module__
    return cls.__qualname__ if module == builtins.__name__ else "%s.%s" % (module, cls.__qualname__)


def text_of(exc):
    try:
        return str(exc).rstrip()  # psycopg 2 ends its messages with a line break
    except Exception as broken:
        return "<%s whose text cannot be made: %s>" % (dotted(type(exc)), type(broken).__name__)


def chain(exc):
    """The exception, its causes, and the contexts that were not suppressed, nearest first."""
    seen = []
    while exc is not None and exc not in seen:
        seen.append(exc)
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return seen


def driver_error(exc):
    """psycopg's own exception, which Django wraps: SQLSTATE and diagnostics are only there."""
    for link in (exc, exc.__cause__):
        if link is not None and hasattr(link, "diag"):
            return link
    return None


def sqlstate(exc):
    raw = driver_error(exc)
    return raw and (getattr(raw, "sqlstate", None) or getattr(raw, "pgcode", None))


def described(exc):
    """The wire form of an exception."""
    raw = driver_error(exc)
    diag = getattr(raw, "diag", None)
    cause = exc.__cause__
    return {
        "type": dotted(type(exc)),
        "message": text_of(exc),
        "cause": None if cause is None else "%s: %s" % (dotted(type(cause)), text_of(cause)),
        "sqlstate": sqlstate(exc),
        "detail": getattr(diag, "message_detail", None),
        "hint": getattr(diag, "message_hint", None),
        "constraint": getattr(diag, "constraint_name", None),
        "table": getattr(diag, "table_name", None),
        "column": getattr(diag, "column_name", None),
        "traceback": [frame.rstrip("\n") for frame in last_frames(exc)],
    }


def last_frames(exc, count=8):
    frames = traceback.extract_tb(exc.__traceback__)
    theirs = [frame for frame in frames if frame.filename != "<string>"]  # this script has no file
    lines = traceback.format_list(theirs[-count:])
    if isinstance(exc, SyntaxError):
        lines += traceback.format_exception_only(type(exc), exc)
    return lines


def no_django(exc):
    """The import of Django itself failed, be it behind manage.py's own "Couldn't import Django"."""
    for link in chain(exc):
        if isinstance(link, ModuleNotFoundError) and (link.name or "").split(".")[0] == "django":
            return importlib.util.find_spec("django") is None
    return False


def no_driver(exc):
    return any("Error loading psycopg" in text_of(link) for link in chain(exc))


def old_django():
    """The version of an installed Django that is older than supported, else None; imports no Django."""
    try:
        from importlib.metadata import version

        found = version("django")
        return found if tuple(map(int, re.findall(r"\d+", found)[:2])) < OLDEST_DJANGO else None
    except Exception:
        return None


# --- The session --------------------------------------------------------------------------------------------------


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

    def problem(self, phase, kind, message, members=(), exc=None):
        self.send("problem", phase=phase, **{"class": kind}, message=message, members=list(members),
                  exception=None if exc is None else described(exc))

    def bye(self):
        self.finished = True
        self.send("bye", seconds=rounded(time.perf_counter() - self.began), cpu_seconds=rounded(cpu_seconds()))


class Sessions:
    """Sets the wanted server settings on each new PostgreSQL connection, and reads them back.

    By SET and not by PGOPTIONS, since settings with OPTIONS["options"] silently replace PGOPTIONS. Through a
    transaction pooler SET leaks to other clients and may not reach ours: Rust learns from the values read back, and
    from backend pids that differ, that a pooler is there, and refuses it.
    """

    def __init__(self, bridge):
        self.bridge = bridge
        self.opened = []  # called with (connection, backend pid, settings)

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
        with raw.cursor() as cursor:
            for name, value in wanted.items():
                # A name that this server does not know (a setting of a later version) selects nothing.
                cursor.execute("SELECT set_config(name, %s::text, false) FROM pg_settings"
                               " WHERE lower(name) = lower(%s::text)", [value, name])
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
            cursor.execute("SELECT name, current_setting(name) FROM pg_settings WHERE lower(name) = ANY(%s::text[])",
                           [[name.lower() for name in wanted]])
            settings = {row[0]: row[1] for row in cursor.fetchall()}
        if not connection.get_autocommit():
            raw.commit()
        if connection.alias == self.bridge.alias:
            self.bridge.send("connected", alias=connection.alias, backend_pid=pid, settings=settings)
            for call in self.opened:
                call(connection)


# --- The start of the project -------------------------------------------------------------------------------------


class ManagementHook:
    """Replaces the way into Django at the moment that the project imports it.

    Not by importing Django first: manage.py may have to extend sys.path for that, or to monkeypatch before it.
    """

    NAME = "django.core.management"

    def __init__(self, name, entered):
        self.name = name
        self.entered = entered
        self.originals = None

    def install(self):
        if self.NAME in sys.modules:
            self.replace(sys.modules[self.NAME])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        if name != self.NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self.replace(module)

        spec.loader.exec_module = exec_module
        return spec

    def replace(self, module):
        self.originals = (module, module.execute_from_command_line, module.ManagementUtility.execute)
        module.execute_from_command_line = self.from_command_line
        module.ManagementUtility.execute = lambda utility: self.from_command_line(utility.argv)

    def restore(self):
        module, from_command_line, execute = self.originals
        module.execute_from_command_line = from_command_line
        module.ManagementUtility.execute = execute
        return from_command_line

    def from_command_line(self, argv=None):
        real = self.restore()
        sys.argv[0] = self.name  # runpy puts the whole path there
        return self.entered(list(sys.argv if argv is None else argv), real)


def run_entry(bridge, entered):
    """Runs the project's entry until it calls Django, which calls `entered(argv, real)` instead."""
    request = bridge.request
    entry = request["entry"]
    hook = ManagementHook(request["argv"][0], entered)
    prepare_interpreter(request, entry)
    hook.install()
    try:
        if entry["kind"] == "manage":
            runpy.run_path(os.path.abspath(entry["path"]), run_name="__main__")
        else:
            module = importlib.import_module(entry["module"])
            getattr(module, entry["function"])()
    except SystemExit as exc:
        if not bridge.finished:
            bridge.problem("entry", "project-exited", "it called sys.exit(%r) before it called Django" % (exc.code,))
    except Exception as exc:
        if bridge.finished:
            raise
        entry_failed(bridge, exc)
    else:
        if not bridge.finished:
            bridge.problem("entry", "entry-failed", "it returned without calling"
                           " django.core.management.execute_from_command_line")


def entry_failed(bridge, exc):
    version = old_django()
    if no_django(exc):
        bridge.problem("entry", "django-missing", "Django is not installed for this Python", exc=exc)
    elif version:
        bridge.problem("entry", "django-too-old", version, exc=exc)
    else:
        bridge.problem("entry", "entry-failed", "%s: %s" % (type(exc).__name__, text_of(exc)), exc=exc)


def prepare_interpreter(request, entry):
    """What the interpreter would have set up for `python manage.py …`."""
    if sys.path and sys.path[0] == "":
        del sys.path[0]  # what -c adds
    if entry["kind"] == "manage":
        first = os.path.dirname(os.path.abspath(entry["path"]))
    else:
        first = os.getcwd()
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, first)
    sys.argv = list(request["argv"])
    apply_options(request)


def apply_options(request):
    if request["pythonpath"] and request["pythonpath"] not in sys.path:
        sys.path.insert(0, request["pythonpath"])
    if request["settings"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = request["settings"]


def honour_command_line(argv):
    """--settings and --pythonpath in the arguments that the project passed on, as ManagementUtility reads them."""
    from django.core.management.base import CommandParser, handle_default_options

    parser = CommandParser(usage="", add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    parser.add_argument("args", nargs="*")
    try:
        options, _ = parser.parse_known_args(argv[2:])
        handle_default_options(options)
    except Exception:
        pass  # ManagementUtility ignores these too


def start_django(bridge, argv, entry_seconds):
    """Settings, then setup, each error in its own class; then says what was started."""
    import django

    if django.VERSION[:2] < OLDEST_DJANGO:
        bridge.problem("entry", "django-too-old", django.get_version())
        raise Answered
    honour_command_line(argv)
    apply_options(bridge.request)
    from django.conf import settings

    began = time.perf_counter()
    with starting(bridge, "settings", "settings-failed"):
        settings.INSTALLED_APPS
        learn_secrets(bridge, settings)
    read = time.perf_counter()
    with starting(bridge, "setup", "setup-failed"):
        django.setup()
    done = time.perf_counter()
    describe_django(bridge, settings, entry_seconds=rounded(entry_seconds), settings_seconds=rounded(read - began),
                    setup_seconds=rounded(done - read))


class starting:
    """Turns what the project raises while it starts into a problem, and ends the call."""

    def __init__(self, bridge, phase, kind):
        self.bridge, self.phase, self.kind = bridge, phase, kind

    def __enter__(self):
        return self

    def __exit__(self, cls, exc, tb):
        if exc is None or isinstance(exc, (Answered, KeyboardInterrupt)):
            return False
        if isinstance(exc, SystemExit):
            self.bridge.problem(self.phase, "project-exited", "it called sys.exit(%r)" % (exc.code,), exc=exc)
        elif no_driver(exc):
            self.bridge.problem(self.phase, "driver-missing", text_of(exc), exc=exc)
        else:
            self.bridge.problem(self.phase, self.kind, "%s: %s" % (type(exc).__name__, text_of(exc)), exc=exc)
        raise Answered from exc


def learn_environment_secrets(answers):
    """What the settings are probably made of, known before they are read."""
    from urllib.parse import unquote, urlsplit

    for name, value in os.environ.items():
        if re.search(r"PASSWORD|PASSWD|SECRET|TOKEN", name, re.I):
            answers.keep_secret(value)
        elif "://" in value:
            try:
                password = urlsplit(value).password
            except ValueError:
                continue
            answers.keep_secret(password and unquote(password))


def learn_secrets(bridge, settings):
    for database in (getattr(settings, "DATABASES", None) or {}).values():
        options = database.get("OPTIONS") or {}
        for value in (database.get("PASSWORD"), options.get("password"), options.get("sslpassword")):
            bridge.answers.keep_secret(value)


def describe_django(bridge, settings, **times):
    import django
    from django.apps import apps

    bridge.send("django", version=django.get_version(), settings_module=os.environ.get("DJANGO_SETTINGS_MODULE"),
                apps=[describe_app(config) for config in apps.get_app_configs()],
                routers=[str(r) if isinstance(r, str) else dotted(type(r)) for r in settings.DATABASE_ROUTERS],
                use_tz=bool(settings.USE_TZ), **times)


def describe_app(config):
    parts = os.path.normpath(config.path).split(os.sep)
    return {"label": config.label, "name": config.name, "path": str(config.path), "migrated": has_migrations(config),
            "own": "site-packages" not in parts and "dist-packages" not in parts}


def has_migrations(config):
    from django.db.migrations.loader import MigrationLoader

    module, _ = MigrationLoader.migrations_module(config.label)
    try:
        return module is not None and importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


# --- Databases and checks -----------------------------------------------------------------------------------------

# Arguments that Django gives the driver and that libpq does not know.
NOT_LIBPQ = {"password", "cursor_factory", "connection_factory", "context", "prepare_threshold", "row_factory",
             "autocommit", "isolation_level", "server_side_binding", "pool", "assume_role", "async_", "async"}

SERVER_SETTINGS = ["client_connection_check_interval", "client_encoding", "deadlock_timeout",
                   "default_transaction_read_only", "idle_in_transaction_session_timeout", "lock_timeout",
                   "log_lock_waits", "max_connections", "search_path", "server_encoding", "server_version",
                   "standard_conforming_strings", "statement_timeout", "TimeZone", "transaction_timeout", "wal_level"]


def describe_databases(bridge):
    """Lists every alias; opens the selected one and returns its connection, or None where it cannot be opened."""
    from django.db import connections

    if bridge.alias not in connections.settings:
        bridge.problem("connect", "unknown-database", "DATABASES has no alias %r" % bridge.alias,
                       members=sorted(connections.settings))
        raise Answered
    opened = None
    for alias in connections.settings:
        selected = alias == bridge.alias
        try:
            connection = connections[alias]
        except Exception as exc:
            backend_failed(bridge, alias, connections.settings[alias], exc)
            continue
        if selected:
            opened = open_selected(bridge, connection)
        else:
            bridge.send("database", **describe_database(bridge, connection))
    return opened


def backend_failed(bridge, alias, settings, exc):
    selected = alias == bridge.alias
    engine = str(settings.get("ENGINE") or "")
    bridge.send("database", alias=alias, selected=selected, engine=engine, vendor=engine.rpartition(".")[2],
                name=str(settings.get("NAME") or ""), driver=None, parameters={}, password=None, resolved=False,
                test={"name": "", "mirror": None}, server=None)
    if selected:
        kind = "driver-missing" if no_driver(exc) else "connect-failed"
        bridge.problem("connect", kind, text_of(exc), members=[alias], exc=exc)
        raise Answered from exc


def open_selected(bridge, connection):
    if connection.vendor != "postgresql":
        bridge.send("database", **describe_database(bridge, connection))
        bridge.problem("connect", "not-postgresql", "alias %s uses %s" % (
            connection.alias, connection.settings_dict["ENGINE"]), members=[connection.alias])
        raise Answered
    try:
        connection.ensure_connection()
        bridge.send("database", **describe_database(bridge, connection, server=describe_server(bridge, connection)))
        return connection
    except Exception as exc:
        bridge.send("database", **describe_database(bridge, connection))
        kind = "driver-missing" if no_driver(exc) else "connect-failed"
        bridge.problem("connect", kind, text_of(exc), members=[connection.alias], exc=exc)
        return None


def describe_database(bridge, connection, server=None):
    settings = connection.settings_dict
    if server is None:
        parameters, password = configured_parameters(connection)
    else:
        parameters, password = resolved_parameters(connection.connection)
    bridge.answers.keep_secret(password)
    return {
        "alias": connection.alias,
        "selected": connection.alias == bridge.alias,
        "engine": settings["ENGINE"],
        "vendor": connection.vendor,
        "name": str(settings.get("NAME") or parameters.get("dbname") or ""),
        "driver": driver_version(connection),
        "parameters": parameters,
        "password": password,
        "resolved": server is not None,
        "test": describe_test_database(connection),
        "server": server,
    }


def describe_test_database(connection):
    try:
        name = connection.creation._get_test_db_name()
    except Exception:
        name = ""
    return {"name": str(name or ""), "mirror": (connection.settings_dict.get("TEST") or {}).get("MIRROR")}


def driver_version(connection):
    module = getattr(connection, "Database", None)
    if module is None:
        return None
    return "%s %s" % (module.__name__.split(".")[0], str(getattr(module, "__version__", "?")).split()[0])


def configured_parameters(connection):
    """What Django would hand to the driver; the password beside it."""
    if connection.vendor != "postgresql":
        return {}, None
    try:
        given = dict(connection.get_connection_params())
    except Exception:
        return {}, None
    if "database" in given:
        given["dbname"] = given.pop("database")
    password = given.get("password")
    return {name: str(value) for name, value in given.items() if name not in NOT_LIBPQ
            and isinstance(value, (str, int, os.PathLike)) and not isinstance(value, bool)}, password and str(password)


def resolved_parameters(raw):
    """What libpq made of it: service file, environment, passfile and defaults are all in here."""
    info = raw.info
    read = getattr(info, "get_parameters", None)
    found = dict(read() if read else info.dsn_parameters)  # psycopg 3, else 2
    for name in ("host", "port", "user", "dbname"):
        # psycopg 3 leaves out what equals libpq's default.
        value = getattr(info, name, None)
        if not found.get(name) and value:
            found[name] = value
    for name in ("password", "service", "servicefile"):
        found.pop(name, None)
    # psycopg 2 lists what is empty too.
    return {name: str(value) for name, value in found.items() if value not in (None, "")}, info.password or None


def describe_server(bridge, connection):
    wanted = SERVER_SETTINGS + [name for name, _ in bridge.request["session"]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_database()::text, d.oid::bigint,"
                       " current_user::text, pg_backend_pid(), pg_is_in_recovery(), current_schemas(false)::text[],"
                       " has_function_privilege('pg_control_system()', 'execute')"
                       " FROM pg_database d WHERE d.datname = current_database()")
        version, database, oid, user, pid, recovery, schemas, control = cursor.fetchone()
        cursor.execute("SELECT name, current_setting(name) FROM pg_settings WHERE lower(name) = ANY(%s)",
                       [[name.lower() for name in wanted]])
        settings = dict(cursor.fetchall())
        identifier = system_identifier(cursor) if control else None
    return {"version_num": version, "database": database, "database_oid": oid, "user": user,
            "system_identifier": identifier, "backend_pid": pid, "in_recovery": recovery, "schemas": list(schemas),
            "settings": settings}


def system_identifier(cursor):
    try:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        return cursor.fetchone()[0]
    except Exception:
        return None  # proxies that speak PostgreSQL need not have it; outside a transaction this costs nothing


def run_checks(bridge, connection):
    """As `migrate` runs them: everything, and the database checks where the database could be opened."""
    from django.core import checks

    began = time.perf_counter()
    try:
        messages = checks.run_checks(databases=None if connection is None else [bridge.alias])
    except (Exception, SystemExit) as exc:
        bridge.problem("checks", "checks-crashed", "%s: %s" % (type(exc).__name__, text_of(exc)), exc=exc)
        return
    for message in messages:
        bridge.send("check", level=int(message.level), id=message.id and str(message.id), message=str(message.msg),
                    hint=message.hint and str(message.hint), object=checked_object(message.obj),
                    silenced=bool(message.is_silenced()))
    bridge.send("checks_done", count=len(messages), seconds=rounded(time.perf_counter() - began))


def checked_object(obj):
    if obj is None:
        return None
    label = getattr(getattr(obj, "_meta", None), "label", None)
    return label if isinstance(obj, type) and label else str(obj)


# --- Graph, history and plan --------------------------------------------------------------------------------------


def named(key):
    return "%s.%s" % (key[0], key[1])


def inspect_graph(bridge, connection):
    """Says graph, history and items; returns (executor, plan), the plan as (migration, backward) in running order."""
    history = read_history(bridge, connection)
    executor = load_graph(bridge, connection, history)
    loader = executor.loader
    conflicts = say_conflicts(bridge, loader)
    bridge.sound_graph = not conflicts
    bridge.send("migrations", items=migration_items(loader, history))
    sound = say_history_problems(bridge, loader, connection) and not conflicts
    if connection is None or not sound:
        raise Answered  # `migrate` refuses all of these, so there is no plan
    return executor, make_plan(bridge, executor)


def read_history(bridge, connection):
    """(app, name) in order, or an empty list where there is no connection."""
    if connection is None:
        return []
    from django.db.migrations.recorder import MigrationRecorder

    recorder = MigrationRecorder(connection)
    has_table = recorder.has_table()
    rows = list(recorder.migration_qs.order_by("id").values_list("app", "name", "applied")) if has_table else []
    bridge.send("history", has_table=has_table, rows=[
        {"app": app, "name": name, "applied": rfc3339(applied)} for app, name, applied in rows])
    return [(app, name) for app, name, _ in rows]


def rfc3339(moment):
    return moment.astimezone(None if moment.tzinfo is None else moment.tzinfo).isoformat()


def load_graph(bridge, connection, history):
    from django.db.migrations.executor import MigrationExecutor

    began = time.perf_counter()
    try:
        executor = MigrationExecutor(connection)
    except (Exception, SystemExit) as exc:
        kind, message, members = graph_problem(exc)
        bridge.problem("graph", kind, message, members, exc)
        bridge.sound_graph = False
        say_items_on_disk(bridge, connection, history)
        raise Answered from exc
    loader = executor.loader
    bridge.send("graph", nodes=len(loader.graph.nodes), leaves=[named(key) for key in loader.graph.leaf_nodes()],
                conflicts={app: sorted(names) for app, names in loader.detect_conflicts().items()},
                unmigrated_apps=sorted(loader.unmigrated_apps), seconds=rounded(time.perf_counter() - began))
    return executor


def say_items_on_disk(bridge, connection, history):
    """The items where no graph can be built, by files and history alone; nothing where files cannot be imported."""
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection, load=False)
    try:
        loader.load_disk()
    except (Exception, SystemExit):
        return
    applied = set(history)
    items = []
    for key, migration in sorted(loader.disk_migrations.items()):
        replaced = [tuple(item) in applied for item in migration.replaces]
        state = "applied" if key in applied or (replaced and all(replaced)) else "pending"
        items.append({"app": key[0], "name": key[1], "replaces": [named(item) for item in migration.replaces],
                      "state": "partly_squashed" if any(replaced) and not all(replaced) else state,
                      "dependencies": dependencies_of(None, key, migration)})
    items += [{"app": key[0], "name": key[1], "state": "missing", "replaces": [], "dependencies": []}
              for key in sorted(applied - set(loader.disk_migrations))]
    bridge.send("migrations", items=items)


def graph_problem(exc):
    """(class, message, members) of what the loader raised."""
    from django.db.migrations.exceptions import BadMigrationError, CircularDependencyError, NodeNotFoundError

    if isinstance(exc, CircularDependencyError):
        members = text_of(exc).split(", ")
        first = members.index(min(members))  # Django starts anywhere, by the order of a set
        members = members[first:] + members[:first]
        return "graph-cycle", ", ".join(members), members
    if isinstance(exc, NodeNotFoundError):
        return missing_node(exc)
    place = migration_place(exc)
    if isinstance(exc, BadMigrationError) or (place and not isinstance(exc, MemoryError)):
        found = re.search(r"Migration (\S+) in app (\S+) has no Migration class", text_of(exc))
        if found:
            return "bad-migration", text_of(exc), [named((found[2], found[1]))]
        member, where = place or (None, None)
        message = "%s: %s" % (type(exc).__name__, text_of(exc))
        return "bad-migration", message + (" (%s)" % where if where else ""), [member] if member else []
    return "unexpected", "%s: %s" % (type(exc).__name__, text_of(exc)), []


def missing_node(exc):
    origin = exc.origin or getattr(exc.__cause__, "origin", None)
    members = [named(exc.node)] + ([str(origin)] if origin else [])
    if "Django tried to replace migration" in text_of(exc):
        # The loader's own words for a squash that is applied in part while files that it replaces are gone.
        squashes = re.search(r"with any of \[([^\]]*)\]", text_of(exc))
        return "inconsistent-history", text_of(exc), (squashes[1].split(", ") if squashes else []) + members
    return "missing-migration", text_of(exc), members


def migration_place(exc):
    """(app.name, `file, line N`) of the migration module in which this was raised, by the modules of the frames."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader

    packages = {MigrationLoader.migrations_module(config.label)[0]: config.label for config in apps.get_app_configs()}

    def of_module(module, filename, line):
        package, _, name = (module or "").rpartition(".")
        if package in packages:
            return named((packages[package], name)), "%s, line %s" % (filename, line)
        return None

    if isinstance(exc, SyntaxError) and exc.filename:
        for package, label in packages.items():
            spec = package and package in sys.modules and sys.modules[package]
            for folder in getattr(spec, "__path__", None) or []:
                if os.path.dirname(os.path.abspath(exc.filename)) == os.path.abspath(folder):
                    name = os.path.splitext(os.path.basename(exc.filename))[0]
                    return named((label, name)), "%s, line %s" % (exc.filename, exc.lineno)
    found = None
    for frame, line in traceback.walk_tb(exc.__traceback__):
        found = of_module(frame.f_globals.get("__name__"), frame.f_code.co_filename, line) or found
    return found


def say_conflicts(bridge, loader):
    """Django's own message; True where there are any."""
    conflicts = loader.detect_conflicts()
    if conflicts:
        names = "; ".join("%s in %s" % (", ".join(names), app) for app, names in sorted(conflicts.items()))
        bridge.problem("plan", "plan-conflict",
                       "Conflicting migrations detected; multiple leaf nodes in the migration graph: (%s).\n"
                       "To fix them run 'python manage.py makemigrations --merge'" % names,
                       [named((app, name)) for app, names in sorted(conflicts.items()) for name in names])
    return bool(conflicts)


def say_history_problems(bridge, loader, connection):
    """True where the history fits the graph."""
    from django.db.migrations.exceptions import InconsistentMigrationHistory

    sound = True
    for key, lost in sorted(dropped_squashes(loader).items()):
        sound = False
        bridge.problem("history", "inconsistent-history",
                       "Migration %s is a squash of which only some replaced migrations are applied, and the files of"
                       " %s are gone: Django would silently leave it out of every plan." % (
                           named(key), ", ".join(map(named, lost))), [named(key)] + [named(item) for item in lost])
    if connection is not None:
        try:
            loader.check_consistent_history(connection)
        except InconsistentMigrationHistory as exc:
            sound = False
            found = re.search(r"Migration (\S+) is applied before its dependency (\S+) on", text_of(exc))
            bridge.problem("history", "inconsistent-history", text_of(exc), list(found.groups()) if found else [], exc)
    return sound


def dropped_squashes(loader):
    """Partly applied squashes of which replaced migrations are neither applied nor on disk: {key: those}."""
    dropped = {}
    for key, migration in loader.replacements.items():
        if key in loader.graph.nodes or is_replaced(loader, key):
            continue
        lost = [item for item in map(tuple, migration.replaces)
                if item not in loader.applied_migrations and item not in loader.disk_migrations]
        if lost and any(tuple(item) in loader.applied_migrations for item in migration.replaces):
            dropped[key] = lost
    return dropped


def is_replaced(loader, key):
    """A squash that is in use stands for this migration."""
    return any(key in map(tuple, squash.replaces) and (by in loader.graph.nodes or is_replaced(loader, by))
               for by, squash in loader.replacements.items() if by != key)


def migration_items(loader, history):
    items = []
    for key in sorted(loader.disk_migrations):
        migration = loader.disk_migrations[key]
        items.append({"app": key[0], "name": key[1], "state": state_on_disk(loader, key),
                      "replaces": [named(item) for item in migration.replaces],
                      "dependencies": dependencies_of(loader, key, migration)})
    for key in sorted(set(history) - set(loader.disk_migrations)):
        state = "squashed" if is_replaced(loader, key) else "missing"
        items.append({"app": key[0], "name": key[1], "state": state, "replaces": [], "dependencies": []})
    return items


def state_on_disk(loader, key):
    if key in loader.graph.nodes:
        return "applied" if key in loader.applied_migrations else "pending"
    if is_replaced(loader, key):
        return "squashed"
    return "partly_squashed" if key in loader.replacements else "squashed"


def dependencies_of(loader, key, migration):
    node = loader and loader.graph.node_map.get(key)
    if node is not None:
        return sorted(named(parent.key) for parent in node.parents)
    return sorted(named(parent) for parent in migration.dependencies if not str(parent[1]).startswith("__"))


def make_plan(bridge, executor):
    """The plan in the order in which Django's executor would run it."""
    targets = plan_targets(bridge, executor.loader)
    try:
        plan = executor.migration_plan(targets)
    except Exception as exc:
        kind, message, members = graph_problem(exc)
        bridge.problem("plan", kind, message, members, exc)
        raise Answered from exc
    backward = [migration for migration, backwards in plan if backwards]
    if backward:
        bridge.problem("plan", "backwards", "The target is behind what is applied: it would unapply %s" % ", ".join(
            map(str, backward)), map(str, backward))
        return plan
    wanted = {migration for migration, _ in plan}
    everything = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    return [(migration, False) for migration, _ in everything if migration in wanted]


def plan_targets(bridge, loader):
    """The targets as the `migrate` command takes them, each refusal a problem."""
    app, prefix = bridge.request["app"], bridge.request["migration"]
    if not app:
        return loader.graph.leaf_nodes()
    check_app(bridge, loader, app)
    if not prefix:
        return [key for key in loader.graph.leaf_nodes() if key[0] == app]
    if prefix == "zero":
        return [(app, None)]
    target = (app, find_migration(bridge, loader, app, prefix).name)
    if target not in loader.graph.nodes and target in loader.replacements:
        # A squash that is applied in part is not in the graph; its last replaced migration stands for it.
        return [tuple(loader.replacements[target].replaces[-1])]
    return [target]


def check_app(bridge, loader, app):
    from django.apps import apps

    try:
        apps.get_app_config(app)
    except LookupError as exc:
        bridge.problem("plan", "unknown-app", text_of(exc), [app])
        raise Answered from exc
    if app not in loader.migrated_apps:
        bridge.problem("plan", "app-without-migrations", "App '%s' does not have migrations." % app, [app])
        raise Answered


def find_migration(bridge, loader, app, prefix):
    from django.db.migrations.exceptions import AmbiguityError

    try:
        return loader.get_migration_by_prefix(app, prefix)
    except AmbiguityError as exc:
        names = sorted(name for label, name in loader.disk_migrations if label == app and name.startswith(prefix))
        bridge.problem("plan", "ambiguous-migration", "More than one migration matches '%s' in app '%s'. Please be"
                       " more specific." % (prefix, app), [named((app, name)) for name in names])
        raise Answered from exc
    except KeyError as exc:
        bridge.problem("plan", "unknown-migration", "Cannot find a migration matching '%s' from app '%s'." % (
            prefix, app), [named((app, prefix))])
        raise Answered from exc


# --- What an operation sees: project states -----------------------------------------------------------------------

DJANGO_OPERATIONS = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
ABSTRACT_OPERATIONS = {"Operation", "ModelOperation", "FieldOperation", "IndexOperation", "ModelOptionOperation",
                       "AlterTogetherOptionOperation", "CollationOperation", "NotInTransactionMixin"}

# Which models the SQL of Django's own operations can depend on: the named model with what it points to (`forth`),
# also what points to it (`back`), or no model at all (`none`). What is not listed here is rendered in full.
SEES = {
    "CreateModel": "forth", "DeleteModel": "forth", "RenameModel": "back", "AlterModelTable": "forth",
    "AlterModelTableComment": "forth", "AlterUniqueTogether": "forth", "AlterIndexTogether": "forth",
    "AlterOrderWithRespectTo": "forth", "AlterModelOptions": "none", "AlterModelManagers": "none",
    "AddField": "forth", "RemoveField": "back", "AlterField": "back", "RenameField": "back",
    "AddIndex": "forth", "RemoveIndex": "forth", "RenameIndex": "forth",
    "AddConstraint": "forth", "RemoveConstraint": "forth", "AlterConstraint": "forth",
    "AddConstraintNotValid": "forth", "ValidateConstraint": "forth",
    "AddIndexConcurrently": "forth", "RemoveIndexConcurrently": "forth",
    "RunSQL": "none", "RunPython": "none", "CreateExtension": "none", "BloomExtension": "none",
    "BtreeGinExtension": "none", "BtreeGistExtension": "none", "CITextExtension": "none", "CryptoExtension": "none",
    "HStoreExtension": "none", "TrigramExtension": "none", "UnaccentExtension": "none", "CreateCollation": "none",
    "RemoveCollation": "none",
}


def is_djangos(op):
    return type(op).__module__.startswith(DJANGO_OPERATIONS)


def base_name(op):
    """The Django operation that this is or derives from."""
    for cls in type(op).__mro__:
        if cls.__module__.startswith(DJANGO_OPERATIONS) and cls.__name__ not in ABSTRACT_OPERATIONS:
            return cls.__name__
    return None


def model_names(op):
    """The lower-case names of the models that the operation names itself, the old one first."""
    from django.db.migrations.operations.models import ModelOperation

    if isinstance(getattr(op, "model_name", None), str):
        return [op.model_name.lower()]
    if not isinstance(op, ModelOperation):
        return []
    names = [getattr(op, "old_name", None) or op.name, getattr(op, "new_name", None)]
    return [name.lower() for name in names if isinstance(name, str)]


class Step:
    """One operation that touches the database, with the states before and after it.

    `index` is that of the migration's own operation: the parts of a SeparateDatabaseAndState share it.
    """

    def __init__(self, index, op, old, new):
        self.index, self.op, self.old, self.new = index, op, old, new


class StateWalk:
    """The project state from what is applied, forward through the plan; renders nothing.

    Snapshots share what does not change: before an operation runs, only the model states that it can change are
    replaced by clones, so a model state that a snapshot holds is never written to again.
    """

    def __init__(self, executor):
        from django.db.migrations.state import ProjectState

        loader = executor.loader
        self.state = ProjectState(real_apps=loader.unmigrated_apps)
        applied = {loader.graph.nodes[key] for key in loader.applied_migrations if key in loader.graph.nodes}
        # The order of MigrationExecutor._create_project_state, which is not that of the history.
        for migration, _ in executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True):
            if migration in applied:
                migration.mutate_state(self.state, preserve=False)
        self.last = self.snapshot()

    def snapshot(self):
        from django.db.migrations.state import ProjectState

        return ProjectState(models=dict(self.state.models), real_apps=self.state.real_apps)

    def advance(self, op, app_label):
        """Runs state_forwards and returns the states before and after."""
        before = self.last
        for key in changed_models(op, app_label, self.state):
            self.state.models[key] = self.state.models[key].clone()
        try:
            op.state_forwards(app_label, self.state)
        finally:
            self.last = self.snapshot()
        return before, self.last


def changed_models(op, app_label, state):
    """The models whose state the operation may write to in place; all of them where that is not known."""
    name = type(op).__name__
    if not is_djangos(op) or name in ("RenameModel", "RenameField"):
        return list(state.models)
    if name in ("SeparateDatabaseAndState", "RunSQL"):
        parts = [changed_models(part, app_label, state) for part in op.state_operations or []]
        # A model that one part makes and the next changes is not in the state yet: nobody else holds it.
        return list(dict.fromkeys(key for part in parts for key in part))
    return [(app_label, model) for model in model_names(op) if (app_label, model) in state.models]


class Walked:
    """A migration with, for each operation, (operation, before, after), as far as its states could be made."""

    def __init__(self, migration, walk):
        self.migration = migration
        self.moves = []
        self.failure = None
        for op in migration.operations:
            try:
                before, after = walk.advance(op, migration.app_label)
            except (Exception, SystemExit) as exc:
                self.failure = exc
                break
            self.moves.append((op, before, after))


def separate_parts(op, app_label, old):
    """The database operations of a SeparateDatabaseAndState with states of their own, as Django computes them."""
    parts = []
    for part in op.database_operations:
        new = old.clone()
        part.state_forwards(app_label, new)
        parts.append((part, old, new))
        old = new
    return parts


def leaf_steps(index, op, app_label, old, new):
    """The operation itself, or what a SeparateDatabaseAndState consists of.

    Taken apart here since its own database_forwards() would run a RunPython inside it, even while SQL is only
    collected.
    """
    from django.db.migrations.operations.special import SeparateDatabaseAndState

    own = type(op).database_forwards is SeparateDatabaseAndState.database_forwards \
        and type(op).database_backwards is SeparateDatabaseAndState.database_backwards \
        if isinstance(op, SeparateDatabaseAndState) else False
    if not own:
        return [Step(index, op, old, new)]
    return [step for part, before, after in separate_parts(op, app_label, old)
            for step in leaf_steps(index, part, app_label, before, after)]


# --- Stub rendering -----------------------------------------------------------------------------------------------

STUB_OPTIONS = {"db_table", "managed", "proxy", "abstract", "swappable", "app_label", "db_tablespace", "apps"}


def model_key(reference, app_label, own):
    """(app, model) of what a relation or base names; None where it names no model."""
    if hasattr(reference, "_meta"):
        return reference._meta.app_label, reference._meta.model_name
    if not isinstance(reference, str):
        return None
    if reference == "self":
        return own
    app, dot, model = reference.rpartition(".")
    return (app if dot else app_label), model.lower()


def field_targets(key, field):
    """The models that a field's relation names: the target, and the `through` of a many-to-many."""
    relation = getattr(field, "remote_field", None)
    if relation is None:
        return []
    named_models = [getattr(relation, "model", None), getattr(relation, "through", None)]
    return [model_key(reference, key[0], key) for reference in named_models if reference]


def base_keys(key, model):
    return [found for found in (model_key(base, key[0], key) for base in model.bases) if found]


def model_targets(key, model):
    """Every model that this one's fields or bases name; kept on the state object, which is not written to again."""
    kept = model.__dict__.get("_bridge_targets")
    if kept is None:
        kept = set(base_keys(key, model))
        for field in model.fields.values():
            kept.update(target for target in field_targets(key, field) if target)
        model.__dict__["_bridge_targets"] = kept
    return kept


class Stub:
    """The part of a state that one operation's SQL can depend on.

    The named models are whole, with their bases and the `through` models of their many-to-manys. What they point to
    has only what a REFERENCES clause needs; what points to them (for `back`) only the relations that do, and its key.
    """

    def __init__(self, state, seeds, back):
        self.state = state
        self.models = {}
        self.needed = {}  # key -> names of fields that a kept relation refers to
        self.whole = self.whole_models(seeds)
        self.heads = self.find_heads(seeds) if back else set()
        for key in state.models:  # in the state's order: Django sorts related objects stably by name only
            if key in self.whole or (back and model_targets(key, state.models[key]) & self.heads):
                self.require(key)

    def whole_models(self, seeds):
        whole, todo = set(), [key for key in seeds if key in self.state.models]
        while todo:
            key = todo.pop()
            if key in whole or key not in self.state.models:
                continue
            whole.add(key)
            model = self.state.models[key]
            todo += base_keys(key, model)
            if key in seeds:
                throughs = [getattr(getattr(field, "remote_field", None), "through", None)
                            for field in model.fields.values()]
                todo += [model_key(through, key[0], key) for through in throughs if through]
        return whole

    def find_heads(self, seeds):
        """The seeds, and what shares its key with them: a changed key changes the types of all their columns."""
        heads = set(seeds)
        grown = True
        while grown:
            grown = False
            for key, model in self.state.models.items():
                if key in heads or not model_targets(key, model) & heads:
                    continue
                if any((field.primary_key or field.unique) and set(field_targets(key, field)) & heads
                       for field in model.fields.values() if not field.many_to_many):
                    heads.add(key)
                    grown = True
        return heads

    def require(self, key):
        """Puts a model in, and what it needs after it."""
        if key not in self.state.models:
            return
        model = self.state.models[key]
        kept = model.fields if key in self.whole else self.kept_fields(key, model)
        if key in self.models and set(self.models[key]) >= set(kept):
            return
        self.models[key] = kept
        for field in kept.values():
            self.require_target(key, field)
        for base in base_keys(key, model):
            self.require(base)

    def kept_fields(self, key, model):
        needed = set(self.needed.get(key, ()))
        composite = model.fields.get("pk")
        needed.update(getattr(composite, "field_names", ()))
        return {name: field for name, field in model.fields.items() if field.primary_key or name in needed
                or getattr(field.remote_field, "parent_link", False)
                or set(field_targets(key, field)) & self.heads
                or (key in self.heads and field.remote_field is not None)}

    def require_target(self, key, field):
        targets = [target for target in field_targets(key, field) if target]
        if targets:
            names = [*(getattr(field, "to_fields", None) or ()), getattr(field.remote_field, "field_name", None)]
            self.needed.setdefault(targets[0], set()).update(name for name in names if isinstance(name, str))
        for target in targets:
            self.require(target)

    def rendered(self):
        from django.db.migrations.state import ModelState, ProjectState

        models = {}
        for key, model in self.state.models.items():
            if key in self.whole:
                models[key] = model
            elif key in self.models:
                options = {name: value for name, value in model.options.items() if name in STUB_OPTIONS}
                models[key] = ModelState(key[0], model.name, list(self.models[key].items()), options, model.bases, [])
        return ProjectState(models=models, real_apps=self.state.real_apps)


def stub_states(step, app_label):
    """The two states of a step as stubs, or None where only full rendering is safe."""
    op = step.op
    sees = SEES.get(type(op).__name__) if is_djangos(op) else None
    if sees == "none":
        return step.old, step.new
    seeds = {(app_label, model) for model in model_names(op)}
    seeds = {key for key in seeds if key in step.old.models or key in step.new.models}
    if sees is None or not seeds:
        return None
    return tuple(Stub(state, seeds, sees == "back").rendered() for state in (step.old, step.new))


# --- The plan, told -----------------------------------------------------------------------------------------------


def say_planned(bridge, connection, walked, backward):
    migration = walked.migration
    module = sys.modules.get(type(migration).__module__)
    operations = [describe_operation(connection, op, migration.app_label, old, new) for op, old, new in walked.moves]
    for op in migration.operations[len(operations):]:
        operations.append(describe_operation(connection, op, migration.app_label, None, None))
    bridge.send("planned", app=migration.app_label, name=migration.name, backward=backward,
                initial=bool(migration.initial), atomic=bool(migration.atomic), file=getattr(module, "__file__", None),
                dependencies=[named(parent) for parent in migration.dependencies],
                replaces=[named(item) for item in migration.replaces], operations=operations)


def describe_operation(connection, op, app_label, old, new):
    from django.db.migrations.operations.special import SeparateDatabaseAndState

    model, table = described_model(connection, op, app_label, old, new)
    name = field_name(op)
    inner, states = [], []
    if isinstance(op, SeparateDatabaseAndState):
        inner = described_parts(connection, op.database_operations, app_label, old)
        states = described_parts(connection, op.state_operations, app_label, old)
    elif getattr(op, "state_operations", None):
        states = described_parts(connection, op.state_operations, app_label, old)
    return {
        "class": dotted(type(op)), "base": base_name(op), "describe": described_text(op),
        "reversible": is_reversible(op), "reduces_to_sql": reduces_to_sql(op), "elidable": bool(op.elidable),
        "atomic": None if op.atomic is None else bool(op.atomic), "model": model, "table": table, "field": name,
        "field_before": described_field(connection, op, app_label, old, 0),
        "field_after": described_field(connection, op, app_label, new, -1),
        "code": code_name(getattr(op, "code", None)), "database_operations": inner, "state_operations": states,
    }


def described_text(op):
    try:
        return str(op.describe())
    except Exception as exc:
        return "%s (describe() raised %s: %s)" % (type(op).__name__, type(exc).__name__, text_of(exc))


def described_parts(connection, ops, app_label, old):
    """Operations inside an operation; their states follow from the one before it."""
    described_ops = []
    for op in ops:
        new = None
        if old is not None:
            new = old.clone()
            try:
                op.state_forwards(app_label, new)
            except Exception:
                new = None
        described_ops.append(describe_operation(connection, op, app_label, old, new))
        old = new
    return described_ops


def is_reversible(op):
    parts = getattr(op, "database_operations", None)
    return bool(op.reversible) and all(map(is_reversible, parts or []))


def reduces_to_sql(op):
    parts = getattr(op, "database_operations", None)
    return bool(op.reduces_to_sql) and all(map(reduces_to_sql, parts or []))


def code_name(code):
    if code is None or not callable(code):
        return None
    return "%s.%s" % (getattr(code, "__module__", "?"), getattr(code, "__qualname__", None) or repr(code))


def field_name(op):
    """The field that a field operation names, by its name before the operation."""
    from django.db.migrations.operations.fields import FieldOperation

    if not isinstance(op, FieldOperation):
        return None
    return getattr(op, "old_name", None) or op.name


def find_model(op, app_label, state):
    for model in model_names(op):
        if state is not None and (app_label, model) in state.models:
            return (app_label, model), state.models[app_label, model]
    return None, None


def described_model(connection, op, app_label, old, new):
    for state in (old, new):
        key, model = find_model(op, app_label, state)
        if model is not None:
            return "%s.%s" % (app_label, model.name), table_of(connection, state, key, model)
    return ("%s.%s" % (app_label, model_names(op)[0]) if model_names(op) else None), None


def table_of(connection, state, key, model):
    """db_table as Options.contribute_to_class() makes it, without rendering the model."""
    from django.db.backends.utils import truncate_name

    if model.options.get("proxy"):
        for base in base_keys(key, model):
            if base in state.models:
                return table_of(connection, state, base, state.models[base])
    table = model.options.get("db_table")
    return str(table) if table else truncate_name("%s_%s" % key, connection.ops.max_name_length())


def described_field(connection, op, app_label, state, which):
    """The field as the state has it; `which` picks the old or the new name of a RenameField."""
    name = field_name(op)
    key, model = find_model(op, app_label, state)
    if name is None or model is None:
        return None
    names = [name, getattr(op, "new_name", None) or name]
    field = model.fields.get(names[which])
    return None if field is None else field_state(connection, state, key, names[which], field)


def field_state(connection, state, key, name, field):
    from django.db.models import NOT_PROVIDED

    bound = field.clone()
    bound.set_attributes_from_name(name)
    targets = field_targets(key, field)
    target = state.models.get(targets[0]) if targets and targets[0] else None
    related = None
    if targets and targets[0]:
        related = "%s.%s" % (targets[0][0], target.name if target else targets[0][1])
    many = bool(field.many_to_many)
    return {
        "class": dotted(type(field)), "column": None if many else bound.column,
        "db_type": None if many else column_type(connection, state, key, field, bound), "null": bool(field.null),
        "unique": bool(field.unique), "db_index": bool(field.db_index), "primary_key": bool(field.primary_key),
        "has_default": field.has_default(),
        "has_db_default": getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED, "related": related,
    }


def column_type(connection, state, key, field, bound, depth=0):
    """db_type() without rendering: a foreign key has the type of the key that it refers to."""
    try:
        targets = field_targets(key, field)
        if not targets:
            return (getattr(field, "output_field", None) or bound).db_type(connection) \
                if getattr(field, "generated", False) else bound.db_type(connection)
        target = state.models.get(targets[0])
        if target is None or depth > 10:
            return None
        wanted = [name for name in getattr(field, "to_fields", None) or () if name]
        for name, candidate in target.fields.items():
            if name in wanted or (not wanted and candidate.primary_key):
                if field_targets(targets[0], candidate):
                    return column_type(connection, state, targets[0], candidate, candidate, depth + 1)
                return candidate.rel_db_type(connection)
        parents = [base for base in base_keys(targets[0], target) if base in state.models]
        if not parents:  # an implicit key
            from django.apps import apps

            return apps.get_app_config(targets[0][0])._get_default_pk_class()("x").rel_db_type(connection)
        return None
    except Exception:
        return None


# --- The catalogue: what the database will hold by then -----------------------------------------------------------
#
# Django's schema editor asks the database for the names of constraints, indexes and sequences, and where it finds none
# it mostly says nothing and leaves the statement out. While SQL is collected, what earlier statements of the plan made
# is not there to be found. So the answers come from here: the database's own answer for a table, changed by each
# statement collected since. A statement that cannot be read casts doubt on what it names, and whoever looks that up
# afterwards is told so (`missing`), instead of getting a silent gap.

TOKEN = re.compile(
    r"(?P<string>(?:\b[eEbBxXnN])?'(?:[^'\\]|''|\\.)*')|(?P<name>\"(?:[^\"]|\"\")*\")"
    r"|(?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)|(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<open>\()|(?P<close>\))", re.S)


class Sketch:
    """SQL with each quoted name as "n", each string as 's' and each group in parentheses as (n): safe to match on."""

    def __init__(self, sql):
        self.names, self.groups, out = [], [], []
        depth = at = start = 0
        for token in TOKEN.finditer(sql):
            kind, before = token.lastgroup, sql[at:token.start()]
            kind = "dollar" if kind == "tag" else kind
            if depth == 0:
                out.append(before)
            at = token.end()
            if kind == "open":
                depth += 1
                if depth == 1:
                    start = at
            elif kind == "close":
                depth -= 1
                if depth == 0:
                    out.append("(%d)" % len(self.groups))
                    self.groups.append(sql[start:token.start()])
                depth = max(depth, 0)
            elif depth == 0 and kind == "name":
                out.append('"%d"' % len(self.names))
                self.names.append(token.group()[1:-1].replace('""', '"'))
            elif depth == 0:
                out.append(" " if kind == "comment" else "'s'")
        if depth == 0:
            out.append(sql[at:])
        self.text = re.sub(r"\s+", " ", "".join(out)).strip()

    def name(self, text):
        """The identifier that a piece of the sketch stands for."""
        text = text.strip()
        return self.names[int(text[1:-1])] if text.startswith('"') else text.lower()

    def qualified(self, text):
        """(schema or None, name)"""
        parts = [self.name(part) for part in text.split(".")]
        return (parts[-2] if len(parts) > 1 else None), parts[-1]

    def group(self, number):
        return self.groups[int(number)]


ID = r'(?:"\d+"|[A-Za-z_][\w$]*)'
QUALIFIED = ID + r"(?:\.%s)?" % ID
CREATE_TABLE = re.compile(r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(%s) ?\((\d+)\)( PARTITION BY .*| WITH .*"
                          r"| TABLESPACE .*)?$" % QUALIFIED, re.I)
ALTER_TABLE = re.compile(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(%s) (.*)$" % QUALIFIED, re.I)
DROP_TABLE = re.compile(r"DROP TABLE (?:IF EXISTS )?(.*?)( CASCADE| RESTRICT)?$", re.I)
CREATE_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(%s) ON (?:ONLY )?(%s)"
                          r"(?: USING (\w+))? ?\((\d+)\)(.*)$" % (QUALIFIED, QUALIFIED), re.I)
DROP_INDEX = re.compile(r"DROP INDEX (?:CONCURRENTLY )?(?:IF EXISTS )?(.*?)( CASCADE| RESTRICT)?$", re.I)
RENAME_INDEX = re.compile(r"ALTER INDEX (?:IF EXISTS )?(%s) RENAME TO (%s)$" % (QUALIFIED, ID), re.I)
DROP_SEQUENCE = re.compile(r"DROP SEQUENCE (?:IF EXISTS )?(%s)" % QUALIFIED, re.I)
EXTENSION = re.compile(r"(CREATE|DROP) EXTENSION (?:IF (?:NOT )?EXISTS )?(%s)" % ID, re.I)
COLLATION = re.compile(r"(CREATE|DROP) COLLATION (?:IF (?:NOT )?EXISTS )?(%s)(?: \((\d+)\))?" % QUALIFIED, re.I)
# What changes neither constraints, indexes nor sequences of a table.
NEUTRAL = re.compile(
    r"(SELECT|INSERT|UPDATE|DELETE|WITH|SET|RESET|COMMENT|GRANT|REVOKE|ANALYZE|VACUUM|REINDEX|CLUSTER|LOCK|TRUNCATE"
    r"|BEGIN|COMMIT|NOTIFY|REFRESH|COPY|VALUES|ALTER INDEX|(CREATE|ALTER|DROP)( OR REPLACE)?"
    r"( TEMP| TEMPORARY| RECURSIVE| CONSTRAINT| EVENT| TRUSTED)* (VIEW|MATERIALIZED VIEW|FUNCTION|PROCEDURE|TRIGGER"
    r"|SEQUENCE|TYPE|DOMAIN|SCHEMA|POLICY|ROLE|USER|OPERATOR|AGGREGATE|STATISTICS|RULE|CAST|PUBLICATION|SUBSCRIPTION"
    r"|SERVER|TEXT SEARCH|EXTENSION|COLLATION|DATABASE|LANGUAGE|DEFAULT PRIVILEGES))\b", re.I)
NEUTRAL_ACTION = re.compile(
    r"(ALTER|VALIDATE|SET|RESET|OWNER|ENABLE|DISABLE|CLUSTER|REPLICA|FORCE|NO FORCE|COMMENT|DEPENDS)\b", re.I)
ADD_COLUMN = re.compile(r"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(%s) (.*)$" % ID, re.I)
ADD_CONSTRAINT = re.compile(r"ADD CONSTRAINT (%s) (.*)$" % ID, re.I)
DROP_CONSTRAINT = re.compile(r"DROP CONSTRAINT (?:IF EXISTS )?(%s)" % ID, re.I)
DROP_COLUMN = re.compile(r"DROP (?:COLUMN )?(?:IF EXISTS )?(%s)(?: CASCADE| RESTRICT)?$" % ID, re.I)
RENAME_TABLE = re.compile(r"RENAME TO (%s)$" % ID, re.I)
RENAME_CONSTRAINT = re.compile(r"RENAME CONSTRAINT (%s) TO (%s)$" % (ID, ID), re.I)
RENAME_COLUMN = re.compile(r"RENAME (?:COLUMN )?(%s) TO (%s)$" % (ID, ID), re.I)
ADD_IDENTITY = re.compile(r"ALTER (?:COLUMN )?(%s) ADD GENERATED " % ID, re.I)
DROP_IDENTITY = re.compile(r"ALTER (?:COLUMN )?(%s) DROP IDENTITY" % ID, re.I)
TABLE_CONSTRAINT = re.compile(r"(CONSTRAINT|PRIMARY KEY|UNIQUE|CHECK|FOREIGN KEY|EXCLUDE|LIKE)\b", re.I)


def object_name(first, second, label):
    """makeObjectName() of PostgreSQL's indexcmds.c: the longer part is cut until all fits into 63 bytes."""
    parts = [first.encode(), second.encode() if second else b""]
    room = 63 - len(label) - 1 - (1 if second else 0)
    while len(parts[0]) + len(parts[1]) > room:
        longer = 0 if len(parts[0]) > len(parts[1]) else 1
        parts[longer] = parts[longer][:-1]
    pieces = [part.decode("utf-8", "ignore") for part in parts]
    return "_".join([piece for piece in pieces if piece] + [label])


def constraint_entry(columns, uses=(), **given):
    """One entry of introspection.get_constraints(); `uses` are all the columns that it depends on."""
    entry = {"columns": list(columns), "primary_key": False, "unique": False, "foreign_key": None, "check": False,
             "index": False, "definition": None, "options": None}
    entry.update(given)
    entry["_uses"] = set(uses) | set(columns)
    return entry


class Table:
    """What is known of one table. Never changed once a catalogue holds it: `with_` makes the next one."""

    def __init__(self, constraints=None, sequences=None, doubt=None):
        self.constraints = constraints or {}
        self.sequences = sequences or {}
        self.doubt = doubt

    def with_(self, **changes):
        return Table(changes.get("constraints", self.constraints), changes.get("sequences", self.sequences),
                     changes.get("doubt", self.doubt))


class Catalogue:
    def __init__(self, connection, schema):
        self.connection = connection
        self.schema = schema
        self.tables = {}
        self.taken = None  # names in use in the schema; PostgreSQL's own names avoid them
        self.extensions = {}
        self.collations = {}
        self.present = {}  # table: is it there, for those that were created, dropped or renamed
        self.renamed = {}  # index: new name or None, where its table was not read yet
        self.doubt = None
        self.asked = None  # the doubt that a look-up met since it was last cleared
        self.consulted = False  # there was a look-up since it was last cleared
        introspection = connection.introspection
        self.real = (introspection.get_constraints, introspection.get_sequences, introspection.get_table_list)

    def copy(self):
        other = Catalogue.__new__(Catalogue)
        other.__dict__.update(self.__dict__)
        for name in ("tables", "extensions", "collations", "present", "renamed"):
            setattr(other, name, dict(getattr(self, name)))
        other.taken = None if self.taken is None else set(self.taken)
        return other

    # Answers to the schema editor

    def constraints(self, cursor, table_name):
        table = table_name
        if '"' in table:  # the "schema"."table" trick: Django finds nothing for it, here as in `migrate`
            return self.real[0](cursor, table)
        known = self.table(table)
        self.met(known.doubt)
        # As the database answers: constraints as they were made, then indexes by name.
        order = sorted(known.constraints.items(), key=lambda item: (item[1]["index"], item[0] * item[1]["index"]))
        return {name: dict(entry) for name, entry in order}

    def sequences(self, cursor, table_name, table_fields=()):
        table = table_name
        known = self.table(table)
        self.met(known.doubt)
        return [{"name": name, "table": table, "column": column} for column, name in known.sequences.items()]

    def met(self, doubt):
        self.consulted = True
        self.asked = self.asked or self.doubt or doubt

    def table_list(self, cursor):
        from django.db.backends.base.introspection import TableInfo

        self.met(None)
        listed = self.real[2](cursor)
        kind = type(listed[0]) if listed else TableInfo
        there = [info for info in listed if self.present.get(info.name, True)]
        known = {info.name for info in there}
        rest = [None] * (len(kind._fields) - 2)  # PostgreSQL's own adds a comment
        return there + [kind(name, "t", *rest) for name in self.present if self.present[name] and name not in known]

    def has_extension(self, name, really):
        return self.extensions[name] if name in self.extensions else really()

    # What is there to begin with

    def table(self, name):
        if name not in self.tables:
            self.tables[name] = self.read(name)
        return self.tables[name]

    def read(self, name):
        with self.connection.cursor() as cursor:
            found = self.real[0](cursor, name)
            sequences = {row["column"]: row["name"] for row in self.real[1](cursor, name)}
        constraints = {}
        for key, entry in found.items():
            key = self.renamed.get(key, key)
            if key is not None:
                names = definition_names(entry.get("definition"))
                constraints[key] = dict(entry, _uses=set(filter(None, entry["columns"] or ())) | names)
        return Table(constraints, sequences)

    def name_for(self, first, second, label):
        """The name that PostgreSQL itself chooses: with a number where the plain one is taken."""
        if self.taken is None:
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace UNION"
                               " SELECT conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace")
                self.taken = {row[0] for row in cursor.fetchall()}
            for table in self.tables.values():
                self.taken.update(table.constraints)
        number = 0
        while True:
            name = object_name(first, second, label + (str(number) if number else ""))
            if name not in self.taken:
                return name
            number += 1

    # Changes

    def put(self, table, **changes):
        self.tables[table] = self.table(table).with_(**changes)

    def add(self, table, name, entry):
        self.put(table, constraints={**self.table(table).constraints, name: entry})
        if self.taken is not None:
            self.taken.add(name)

    def keep(self, table, wanted):
        """Keeps the entries of a table for which wanted(name, entry)."""
        old = self.table(table).constraints
        new = {name: entry for name, entry in old.items() if wanted(name, entry)}
        self.put(table, constraints=new)
        if self.taken is not None:
            self.taken.difference_update(set(old) - set(new))

    def cast_doubt(self, why, table=None):
        if table is None:
            self.doubt = self.doubt or why
        else:
            self.put(table, doubt=self.table(table).doubt or why)

    def run(self, sql):
        """Follows one collected string, which may hold several statements."""
        sketch = Sketch(sql)
        for text in sketch.text.split(";"):
            text = text.strip()
            if text and not self.follow(sketch, text):
                self.cast_doubt("a statement before it could not be followed: %s" % " ".join(sql.split())[:120])

    def follow(self, sketch, text):
        """True where the statement was understood."""
        for pattern, follow in ((CREATE_TABLE, self.create_table), (ALTER_TABLE, self.alter_table),
                                (DROP_TABLE, self.drop_table), (CREATE_INDEX, self.create_index),
                                (DROP_INDEX, self.drop_index), (RENAME_INDEX, self.rename_index),
                                (DROP_SEQUENCE, self.drop_sequence), (EXTENSION, self.extension),
                                (COLLATION, self.collation)):
            match = pattern.match(text)
            if match:
                follow(sketch, match)
                return True
        return bool(NEUTRAL.match(text))

    def own(self, sketch, text):
        """The name, or None where it lies in another schema, which Django's look-ups do not see."""
        schema, name = sketch.qualified(text)
        return name if schema in (None, self.schema) else None

    def create_table(self, sketch, match):
        table = self.own(sketch, match[1])
        if table is None:
            return
        self.tables[table] = Table()
        self.present[table] = True
        if self.taken is not None:
            self.taken.add(table)
        body = Sketch(sketch.group(match[2]))
        uniques = []
        for item in filter(None, map(str.strip, body.text.split(","))):
            if not TABLE_CONSTRAINT.match(item):
                column, _, definition = item.partition(" ")
                uniques += self.column(table, body, body.name(column), definition, defer_unique=True)
            elif not self.table_constraint(table, body, item):
                self.cast_doubt("CREATE TABLE %s: %s" % (table, item), table)
        for column in uniques:  # PostgreSQL names the key first, then the other indexes
            self.add_unique(table, column)

    def table_constraint(self, table, sketch, item):
        match = re.match(r"CONSTRAINT (%s) (.*)$" % ID, item, re.I)
        if match:
            return self.constraint(table, sketch, sketch.name(match[1]), match[2])
        match = re.match(r"PRIMARY KEY \((\d+)\)", item, re.I)
        if match:
            name = self.name_for(table, None, "pkey")
            return self.constraint(table, sketch, name, item)
        return False

    def constraint(self, table, sketch, name, text):
        """A named table constraint; False where it is of no kind known here."""
        match = re.match(r"(UNIQUE|PRIMARY KEY)(?: NULLS (?:NOT )?DISTINCT)? ?\((\d+)\)(?: INCLUDE \((\d+)\))?", text,
                         re.I)
        if match:
            columns, _ = index_columns(sketch.group(match[2]))
            extra = index_columns(sketch.group(match[3]))[0] if match[3] else []
            self.add(table, name, constraint_entry(columns, extra, unique=True,
                                                   primary_key=match[1].upper() == "PRIMARY KEY"))
            return True
        match = re.match(r"(UNIQUE|PRIMARY KEY) USING INDEX (%s)" % ID, text, re.I)
        if match:
            index = self.table(table).constraints.get(sketch.name(match[2]))
            if index is None:
                return False
            self.keep(table, lambda key, _: key != sketch.name(match[2]))
            self.add(table, name, constraint_entry(index["columns"], index["_uses"], unique=True,
                                                   primary_key=match[1].upper() == "PRIMARY KEY"))
            return True
        match = re.match(r"CHECK ?\((\d+)\)", text, re.I)
        if match:
            columns = check_columns(sketch.group(match[1]))
            if columns is None:
                return False
            self.add(table, name, constraint_entry(columns, check=True))
            return True
        match = re.match(r"FOREIGN KEY ?\((\d+)\) REFERENCES (%s) ?(?:\((\d+)\))?" % QUALIFIED, text, re.I)
        if match:
            columns, _ = index_columns(sketch.group(match[1]))
            to = index_columns(sketch.group(match[3]))[0] if match[3] else ["id"]
            self.add(table, name, constraint_entry(columns, foreign_key=(sketch.qualified(match[2])[1], to[0])))
            return True
        match = re.match(r"EXCLUDE (?:USING \w+ )?\((\d+)\)(.*)$", text, re.I)
        if match:
            uses = quoted_names(sketch.group(match[1]))
            self.add(table, name, constraint_entry(uses, index_uses(sketch, match[2])))
            return True
        return False

    def column(self, table, sketch, column, definition, defer_unique=False):
        """What a column definition makes; returns the columns whose UNIQUE is still to be named."""
        if re.search(r"\bGENERATED (BY DEFAULT|ALWAYS) AS IDENTITY|^(small|big)?serial\b", definition, re.I):
            self.add_sequence(table, column)
        if re.search(r"\bPRIMARY KEY\b", definition, re.I):
            self.add(table, self.name_for(table, None, "pkey"),
                     constraint_entry([column], unique=True, primary_key=True))
        for match in re.finditer(r"(?:CONSTRAINT (%s) )?CHECK ?\((\d+)\)" % ID, definition, re.I):
            columns = check_columns(sketch.group(match[2]))
            if columns is None:
                self.cast_doubt("a check of column %s" % column, table)
                continue
            name = sketch.name(match[1]) if match[1] else self.name_for(
                table, columns[0] if len(columns) == 1 else None, "check")
            self.add(table, name, constraint_entry(columns, check=True))
        match = re.search(r"(?:CONSTRAINT (%s) )?REFERENCES (%s) ?(?:\((\d+)\))?" % (ID, QUALIFIED), definition, re.I)
        if match:
            name = sketch.name(match[1]) if match[1] else self.name_for(table, column, "fkey")
            to = index_columns(sketch.group(match[3]))[0] if match[3] else ["id"]
            self.add(table, name, constraint_entry([column], foreign_key=(sketch.qualified(match[2])[1], to[0])))
        if re.search(r"\bUNIQUE\b", definition, re.I):
            if defer_unique:
                return [column]
            self.add_unique(table, column)
        return []

    def add_unique(self, table, column):
        self.add(table, self.name_for(table, column, "key"), constraint_entry([column], unique=True))

    def add_sequence(self, table, column):
        name = self.name_for(table, column, "seq")
        if self.taken is not None:
            self.taken.add(name)
        self.put(table, sequences={**self.table(table).sequences, column: name})

    def alter_table(self, sketch, match):
        table = self.own(sketch, match[1])
        if table is None:
            return
        for action in filter(None, map(str.strip, match[2].split(","))):
            if not self.alter_action(table, sketch, action):
                self.cast_doubt("ALTER TABLE %s %s" % (table, action), table)

    def alter_action(self, table, sketch, action):
        name = sketch.name
        if match := RENAME_TABLE.match(action):
            self.rename_table(table, name(match[1]))
        elif match := RENAME_CONSTRAINT.match(action):
            self.rename_entry(table, name(match[1]), name(match[2]))
        elif match := RENAME_COLUMN.match(action):
            self.rename_column(table, name(match[1]), name(match[2]))
        elif match := ADD_CONSTRAINT.match(action):
            return self.constraint(table, sketch, name(match[1]), match[2])
        elif TABLE_CONSTRAINT.match(action[4:]) and action[:4].upper() == "ADD ":
            return False  # unnamed: PostgreSQL's rule for the name depends on more than is known here
        elif match := ADD_COLUMN.match(action):
            self.column(table, sketch, name(match[1]), match[2])
        elif match := DROP_CONSTRAINT.match(action):
            self.keep(table, lambda key, _: key != name(match[1]))
        elif match := DROP_COLUMN.match(action):
            self.drop_column(table, name(match[1]))
        elif match := ADD_IDENTITY.match(action):
            self.add_sequence(table, name(match[1]))
        elif match := DROP_IDENTITY.match(action):
            # Only an identity goes; the sequence of a serial column stays, as DROP IDENTITY IF EXISTS says nothing.
            self.drop_identity(table, name(match[1]))
        else:
            return bool(NEUTRAL_ACTION.match(action))
        return True

    def drop_identity(self, table, column):
        sequences = dict(self.table(table).sequences)
        if column in sequences and not self.is_serial(sequences[column]):
            del sequences[column]
            self.put(table, sequences=sequences)

    def is_serial(self, sequence):
        """The sequence exists and belongs to a serial column (dependency `a`), not to an identity (`i`)."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'a'"
                           " AND objid = to_regclass(quote_ident(%s)) AND refobjsubid > 0)", [sequence])
            return cursor.fetchone()[0]

    def drop_column(self, table, column):
        self.keep(table, lambda _, entry: column not in entry["_uses"])
        sequences = {key: name for key, name in self.table(table).sequences.items() if key != column}
        self.put(table, sequences=sequences)
        self.drop_references(lambda to: to == (table, column))

    def drop_references(self, gone):
        """CASCADE takes the foreign keys of other tables with it."""
        for other in list(self.tables):
            if any(entry["foreign_key"] and gone(entry["foreign_key"])
                   for entry in self.tables[other].constraints.values()):
                self.keep(other, lambda _, entry: not (entry["foreign_key"] and gone(entry["foreign_key"])))

    def rename_table(self, old, new):
        self.tables[new] = self.table(old)
        self.tables[old] = Table()
        self.present.update({old: False, new: True})
        if self.taken is not None:
            self.taken.discard(old)
            self.taken.add(new)

    def rename_entry(self, table, old, new):
        entries = self.table(table).constraints
        if old in entries:
            self.put(table, constraints={new if name == old else name: entry for name, entry in entries.items()})

    def rename_column(self, table, old, new):
        entries = {}
        for name, entry in self.table(table).constraints.items():
            if old in entry["_uses"]:
                entry = dict(entry, columns=[new if column == old else column for column in entry["columns"]],
                             _uses={new if column == old else column for column in entry["_uses"]})
            entries[name] = entry
        sequences = {new if column == old else column: name for column, name in self.table(table).sequences.items()}
        self.put(table, constraints=entries, sequences=sequences)

    def drop_table(self, sketch, match):
        for item in match[1].split(","):
            table = self.own(sketch, item)
            if table is not None:
                self.keep(table, lambda *_: False)
                self.tables[table] = Table()
                self.present[table] = False
                self.drop_references(lambda to: to[0] == table)
                if self.taken is not None:
                    self.taken.discard(table)

    def create_index(self, sketch, match):
        table, name = self.own(sketch, match[3]), sketch.qualified(match[2])[1]
        if table is None:
            return
        columns, orders = index_columns(sketch.group(match[5]))
        method = (match[4] or "btree").lower()
        plain = method == "btree" and not name.endswith("_btree") and not re.search(r"\bWITH ?\(", match[6], re.I)
        include = re.search(r"INCLUDE ?\((\d+)\)", match[6], re.I)
        uses = quoted_names(sketch.group(match[5])) + index_uses(sketch, match[6])
        expression = None in columns
        columns += index_columns(sketch.group(include[1]))[0] if include else []
        self.add(table, name, constraint_entry(
            [] if columns == [None] else columns, uses, index=True, unique=bool(match[1]), orders=orders,
            type="idx" if plain else method, definition=" ".join(sketch.text.split()) if expression else None))

    def drop_index(self, sketch, match):
        for item in match[1].split(","):
            self.replace_index(sketch.qualified(item)[1], None)

    def rename_index(self, sketch, match):
        self.replace_index(sketch.qualified(match[1])[1], sketch.name(match[2]))

    def replace_index(self, old, new):
        for table, known in list(self.tables.items()):
            if old in known.constraints:
                if new is None:
                    self.keep(table, lambda key, _: key != old)
                else:
                    self.rename_entry(table, old, new)
                return
        self.renamed[old] = new  # of a table that nobody asked for yet

    def drop_sequence(self, sketch, match):
        name = self.own(sketch, match[1])
        for table, known in list(self.tables.items()):
            if name in known.sequences.values():
                self.put(table, sequences={key: value for key, value in known.sequences.items() if value != name})

    def extension(self, sketch, match):
        self.extensions[sketch.name(match[2])] = match[1].upper() == "CREATE"

    def collation(self, sketch, match):
        name = sketch.qualified(match[2])[1]
        options = sketch.group(match[3]) if match[3] else ""
        deterministic = not re.search(r"deterministic\s*=\s*'?(false|no|off|0)", options, re.I)
        self.collations[name] = deterministic if match[1].upper() == "CREATE" else None


def quoted_names(sql):
    """The quoted names in an expression, without those of collations, in order."""
    names = []
    for match in re.finditer(r"'(?:[^']|'')*'|(COLLATE\s+)?\"((?:[^\"]|\"\")*)\"(?!\s*\.)", sql or "", re.I):
        if match[2] is not None and not match[1] and match[2] not in names:
            names.append(match[2].replace('""', '"'))
    return names


def definition_names(definition):
    """The names in what pg_get_indexdef() gives, which quotes only where it must."""
    inner = (definition or "").partition("(")[2]
    return set(re.findall(r"[A-Za-z_]\w*", inner)) | set(quoted_names(inner))


def check_columns(sql):
    """The columns of a CHECK; None where it is written without quotes, so that columns cannot be told from words."""
    return quoted_names(sql) or None


def index_columns(sql):
    """(columns, orders) of an index or constraint; an expression is None."""
    sketch = Sketch(sql)
    columns, orders = [], []
    for item in map(str.strip, sketch.text.split(",")):
        match = re.match(r"(%s)(?! ?\()(?: |$)" % ID, item)
        columns.append(sketch.name(match[1]) if match else None)
        orders.append("DESC" if re.search(r"\bDESC\b", item, re.I) else "ASC")
    return columns, orders


def index_uses(sketch, rest):
    """The columns in an INCLUDE or WHERE: the index goes when one of them is dropped."""
    used = [name for number in re.findall(r"\((\d+)\)", rest) for name in quoted_names(sketch.group(number))]
    return used + [sketch.name(name) for name in re.findall(r'"\d+"', rest)]


# --- SQL ----------------------------------------------------------------------------------------------------------


class Collector:
    """The SQL of each planned migration, by operation, in one pass over one shared state, and in one back again.

    The way back starts where the whole plan is applied, since names depend on it: a foreign key that a later
    migration made again has another name from then on, also after that migration is taken back. Full rendering takes
    each migration back at once instead, since all those rendered states would not fit into memory.
    """

    def __init__(self, bridge, connection, walk):
        self.bridge = bridge
        self.connection = connection
        self.render = bridge.request["render"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            self.catalogue = Catalogue(connection, cursor.fetchone()[0])
        self.full = FullStates(walk) if self.render != "stub" else None
        self.statements = 0
        self.waiting = []  # (migration, its steps, its answer) until the way back is known
        self.own_queries = []
        self.quiet = 0
        self.opaque = None  # code that ran before and may have changed what look-ups find
        self.broken = None  # what is broken before, so that later errors may only follow from it
        self.hook()

    def hook(self):
        """Look-ups go to the catalogue, and what operations ask the database themselves is noticed."""
        introspection = self.connection.introspection
        introspection.get_constraints = self.quietly("constraints")
        introspection.get_sequences = self.quietly("sequences")
        introspection.get_table_list = self.quietly("table_list")
        self.connection.execute_wrappers.append(self.notice)

    def unhook(self):
        self.connection.execute_wrappers.remove(self.notice)
        for name in ("get_constraints", "get_sequences", "get_table_list"):
            delattr(self.connection.introspection, name)

    def quietly(self, name):
        """The catalogue's answer; the catalogue itself is another one in each pass."""
        def quiet_call(*args, **kwargs):
            self.follow_collected()
            self.quiet += 1
            try:
                return getattr(self.catalogue, name)(*args, **kwargs)
            finally:
                self.quiet -= 1
        return quiet_call

    def notice(self, execute, sql, params, many, context):
        if not self.quiet and not str(sql).lstrip().upper().startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.own_queries.append(" ".join(str(sql).split()))
        return execute(sql, params, many, context)

    # One migration

    def collect(self, walked):
        began = time.perf_counter()
        if self.render == "stub":
            steps = self.steps(walked)
            answer = self.forward(walked, steps, "stub")
            self.waiting.append((walked, steps, answer))
        else:
            answer = self.collect_full(walked)
            self.say(walked, answer)
        answer["seconds"] += time.perf_counter() - began

    def finish(self):
        """The way back, last migration first; then says all in the order of the plan."""
        for walked, steps, answer in reversed(self.waiting):
            began = time.perf_counter()
            self.backward(walked, steps, answer)
            answer["seconds"] += time.perf_counter() - began
        for walked, _, answer in self.waiting:
            self.say(walked, answer)

    def say(self, walked, answer):
        self.statements += sum(len(item["statements"]) for item in answer["forward"]) + len(answer["forward_deferred"])
        self.bridge.send("sql", app=walked.migration.app_label, name=walked.migration.name,
                         **dict(answer, seconds=rounded(answer["seconds"])))

    def collect_full(self, walked):
        """Both ways at once by full rendering, and by stubs too where the two are to be compared."""
        before = self.catalogue
        full = self.there_and_back(walked, self.full.steps(walked), "full")
        if self.render == "compare":
            after = self.catalogue
            self.catalogue = before
            self.compare(walked.migration, self.there_and_back(walked, self.steps(walked), "stub"), full)
            self.catalogue = after
        return full

    def there_and_back(self, walked, steps, render):
        answer = self.forward(walked, steps, render)
        after = self.catalogue
        self.backward(walked, steps, answer)
        self.catalogue = after
        return answer

    def steps(self, walked):
        steps = []
        for index, (op, old, new) in enumerate(walked.moves):
            steps += leaf_steps(index, op, walked.migration.app_label, old, new)
        return steps

    def forward(self, walked, steps, render):
        """Leaves the catalogue as it is after the migration."""
        migration = walked.migration
        self.catalogue = self.catalogue.copy()
        results, deferred = Pass(self, migration, render).run(steps, "database_forwards")
        return {"forward": by_operation(results) + self.not_reached(migration, walked), "forward_deferred": deferred,
                "backward": None, "backward_deferred": [], "render": render, "seconds": 0.0,
                "irreversible": [described_text(op) for op in migration.operations if not is_reversible(op)]}

    def backward(self, walked, steps, answer):
        """Leaves the catalogue as it is before the migration."""
        self.catalogue = self.catalogue.copy()
        if answer["irreversible"] or walked.failure is not None:
            self.catalogue.cast_doubt("%s after it has no way back" % walked.migration)
            return
        results, answer["backward_deferred"] = Pass(self, walked.migration, answer["render"]).run(
            steps[::-1], "database_backwards")
        answer["backward"] = by_operation(results)

    def not_reached(self, migration, walked):
        """The operation whose states could not be made, and those after it."""
        if walked.failure is None:
            return []
        at = len(walked.moves)
        exc = walked.failure
        first = dict(empty_result(at), exception=described(exc), broken=self.broken is None,
                     missing="its project state cannot be made: %s: %s" % (type(exc).__name__, text_of(exc)))
        why = "operation %d of %s before it is broken" % (at, migration)
        self.broken = self.broken or "%s before it is broken" % migration
        self.catalogue.cast_doubt("%s could not be rendered" % migration)
        return [first] + [dict(empty_result(index), missing=why)
                          for index in range(at + 1, len(migration.operations))]

    def compare(self, migration, stub, full):
        for way in ("forward", "backward"):
            one, other = comparable(stub, way), comparable(full, way)
            if one != other:
                self.bridge.problem("sql", "render-differs", "%s, %s: stub rendering gives %s, full rendering %s" % (
                    migration, way, [x for x in one if x not in other], [x for x in other if x not in one]),
                    [str(migration)])

    # What a pass asks for

    def follow_collected(self):
        """Set by the running pass: brings the catalogue up to the last collected statement."""


def comparable(answer, way):
    """The statements without literals, which may be random or the current time, and without their order.

    Django sorts the models that point to a renamed one by name, and where those are equal by when they were rendered.
    """
    statements = [sql for item in answer[way] or [] for sql in item["statements"]] + answer[way + "_deferred"]
    return sorted(re.sub(r"'(?:[^']|'')*'", "''", sql) for sql in statements)


def empty_result(index):
    return {"operation": index, "statements": [], "opaque": False, "missing": None, "exception": None,
            "broken": False}


def by_operation(results):
    """One result for each operation of the migration: parts of a SeparateDatabaseAndState come together."""
    merged = {}
    for result in results:
        known = merged.setdefault(result["operation"], result)
        if known is not result:
            known["statements"] += result["statements"]
            known["opaque"] = known["opaque"] or result["opaque"]
            known["broken"] = known["broken"] or result["broken"]
            known["missing"] = known["missing"] or result["missing"]
            known["exception"] = known["exception"] or result["exception"]
    return list(merged.values())


class FullStates:
    """Django's own incremental states, rendered: dear, and right for any operation."""

    def __init__(self, walk):
        from django.db.migrations.state import ProjectState

        self.state = ProjectState(models={key: model.clone() for key, model in walk.state.models.items()},
                                  real_apps=walk.state.real_apps)

    def steps(self, walked):
        self.state.apps
        steps = []
        for index, (op, _, _) in enumerate(walked.moves):
            old = self.state
            self.state = old.clone()
            op.state_forwards(walked.migration.app_label, self.state)
            steps += leaf_steps(index, op, walked.migration.app_label, old, self.state)
        return steps


class NoRenames(dict):
    """Django 6.1 and later look a renamed table up under its old name while collecting; the catalogue knows the new."""

    def __setitem__(self, new, old):
        pass


class Pass:
    """One direction of one migration through a collecting schema editor."""

    def __init__(self, collector, migration, render):
        self.collector = collector
        self.connection = collector.connection
        self.catalogue = collector.catalogue
        self.migration = migration
        self.render = render
        self.editor = None
        self.followed = 0
        self.failed = None
        collector.follow_collected = self.follow_collected

    def run(self, steps, way):
        """(results by step, deferred statements)"""
        self.open()
        try:
            results = [self.step(step, way) for step in steps]
            at = len(self.editor.collected_sql)
            self.close()
            deferred = [str(sql) for sql in self.editor.collected_sql[at:]]
            self.follow_collected()
        except BaseException:
            self.close(failed=True)
            raise
        finally:
            self.collector.follow_collected = lambda: None
        return results, deferred

    def open(self, deferred=()):
        self.editor = self.connection.schema_editor(collect_sql=True, atomic=self.migration.atomic)
        self.editor._is_collation_deterministic = self.is_deterministic
        self.editor.collected_table_renames = NoRenames()
        self.editor.__enter__()
        self.editor.deferred_sql.extend(deferred)
        self.is_open = True
        self.followed = 0

    def close(self, failed=False):
        if not self.is_open:
            return
        self.is_open = False
        if not failed:
            self.editor.__exit__(None, None, None)
            return
        try:
            self.editor.__exit__(RuntimeError, RuntimeError("failed"), None)
        except Exception:
            pass  # rolling back a connection that is gone

    def reopen(self, deferred):
        """After an error: its transaction may be unusable, the deferred statements are still wanted."""
        self.close(failed=True)
        self.open(deferred)

    def follow_collected(self):
        new = self.editor.collected_sql[self.followed:]
        self.followed = len(self.editor.collected_sql)
        self.collector.quiet += 1
        try:
            for sql in new:
                self.catalogue.run(str(sql))
        finally:
            self.collector.quiet -= 1

    def is_deterministic(self, name):
        self.follow_collected()
        if name in self.catalogue.collations:
            return self.catalogue.collations[name]
        self.collector.quiet += 1
        try:
            return type(self.editor)._is_collation_deterministic(self.editor, name)
        finally:
            self.collector.quiet -= 1

    # One operation

    def step(self, step, way):
        result = empty_result(step.index)
        if not step.op.reduces_to_sql:
            return self.opaque(step, way, result)
        self.follow_collected()
        self.catalogue.asked, self.catalogue.consulted = None, False
        del self.collector.own_queries[:]
        at, deferred = len(self.editor.collected_sql), list(self.editor.deferred_sql)
        exc = self.attempt(step, way, self.states(step))
        if exc is not None and self.render == "stub" and not is_database_error(exc):
            # It may have looked for what the stub left out.
            del self.editor.collected_sql[at:]
            self.followed = min(self.followed, at)
            self.editor.deferred_sql[:] = deferred
            exc = self.attempt(step, way, self.full_states(step))
        result["statements"] = [str(sql) for sql in self.editor.collected_sql[at:]]
        result["missing"] = self.missing(step, way)
        if exc is not None:
            self.judge(step, way, exc, result)
            self.follow_collected()
            self.reopen(list(self.editor.deferred_sql))
        return result

    def opaque(self, step, way, result):
        if self.does_something(step.op, way):
            result["opaque"] = True
            result["missing"] = "what it runs is only known when it runs: %s" % (
                code_name(getattr(step.op, "code" if way == "database_forwards" else "reverse_code", None))
                or dotted(type(step.op)))
            if way == "database_forwards":
                self.collector.opaque = self.collector.opaque or "%s runs code before it" % self.migration
            code = getattr(step.op, "code" if way == "database_forwards" else "reverse_code", None)
            for table in touched_tables(code):
                self.catalogue.cast_doubt("code of %s before it can change the schema" % self.migration, table)
        return result

    def does_something(self, op, way):
        from django.db import router
        from django.db.migrations.operations.special import RunPython

        if not isinstance(op, RunPython):
            return True
        code = op.code if way == "database_forwards" else op.reverse_code
        return code is not RunPython.noop and router.allow_migrate(
            self.connection.alias, self.migration.app_label, **op.hints)

    def states(self, step):
        stubs = stub_states(step, self.migration.app_label) if self.render == "stub" else None
        return stubs or self.full_states(step)

    def full_states(self, step):
        if self.render == "full":
            return step.old, step.new
        # Snapshots share model states: a rendering of its own must not be left on them.
        return step.old.clone(), step.new.clone()

    def attempt(self, step, way, states):
        """Runs the operation; returns what it raised."""
        from django.db.transaction import atomic

        op, migration = step.op, self.migration
        old, new = states if way == "database_forwards" else states[::-1]
        call = getattr(op, way)
        self.answer_for_extensions(op)
        try:
            # As Migration.apply() and unapply() do it.
            wrapped = op.atomic or (migration.atomic and op.atomic is not False)
            if not self.editor.atomic_migration and wrapped:
                with atomic(self.connection.alias):
                    call(migration.app_label, self.editor, old, new)
            else:
                call(migration.app_label, self.editor, old, new)
        except (Exception, SystemExit) as exc:
            return exc
        finally:
            op.__dict__.pop("extension_exists", None)
        return None

    def answer_for_extensions(self, op):
        real = getattr(op, "extension_exists", None)
        if real is not None:
            op.__dict__["extension_exists"] = lambda editor, name: self.catalogue.has_extension(
                name, lambda: real(editor, name))

    def missing(self, step, way):
        """Why statements may be missing although nothing was raised."""
        op = step.op
        if self.catalogue.asked:
            return "it asks for names of constraints, and %s" % self.catalogue.asked
        if self.collector.own_queries and not type(op).__module__.startswith("django.contrib.postgres.operations"):
            return "it depends on what the database answers when it runs: %s" % self.collector.own_queries[0][:160]
        if type(op).__name__ == "RenameModel" and self.renames_content_type(step):
            return "`migrate` also renames its row in django_content_type"
        return None

    def renames_content_type(self, step):
        """django.contrib.contenttypes injects an operation after each RenameModel while `migrate` runs."""
        from django.apps import apps

        return apps.is_installed("django.contrib.contenttypes") and ("contenttypes", "contenttype") in step.old.models

    def judge(self, step, way, exc, result):
        """Sets exception, missing and broken, and keeps later look-ups from trusting what was not collected."""
        message = "%s: %s" % (type(exc).__name__, text_of(exc))
        result["exception"] = described(exc)
        code = sqlstate(exc)
        if code == "25006":
            result["missing"] = "it writes while its SQL is made, which a preview does not allow: %s" % message
        elif is_database_error(exc):
            result["missing"] = "it asks the database for something that may be pending: %s" % message
        else:
            excuse = self.excuse()
            result["broken"] = excuse is None
            result["missing"] = message if excuse is None else "it failed, perhaps only since %s: %s" % (
                excuse, message)
        table = described_model(self.connection, step.op, self.migration.app_label, step.old, step.new)[1]
        why = "the SQL of %s before it is not known" % self.migration
        self.catalogue.cast_doubt(why, table)
        if result["broken"]:
            self.failed = "an operation of %s before it is broken" % self.migration
            if way == "database_forwards":
                self.collector.broken = self.failed


    def excuse(self):
        """Why an error need not be the migration's own fault: only what the database answers can change by then."""
        if self.failed or self.collector.broken:
            return self.failed or self.collector.broken
        if self.collector.own_queries:
            return "the database answers differently by then"
        return self.catalogue.consulted and (self.catalogue.asked or self.collector.opaque) or None


SCHEMA_CALLS = {"create_model", "delete_model", "alter_db_table", "add_field", "alter_field", "remove_field",
                "add_index", "remove_index", "rename_index", "add_constraint", "remove_constraint",
                "alter_unique_together", "alter_index_together"}
SQL_CALLS = {"execute", "executescript", "cursor"}
DDL = re.compile(r"\s*(ALTER|CREATE|DROP|DO|CALL|EXECUTE)\b", re.I)
PLAIN_SQL = re.compile(r"\s*(SELECT|UPDATE|INSERT|DELETE|WITH|SET|ANALYZE|VACUUM|LOCK|TRUNCATE|PRAGMA|COPY)\b", re.I)


def touched_tables(code):
    """Tables whose constraints the code of a RunPython may change, by its names and texts; [None] for any table."""
    names, texts, whole = code_words(code)
    if not whole or names & SCHEMA_CALLS:
        return [None]
    if not names & SQL_CALLS:
        return []
    ddl = [text for text in texts if DDL.match(text)]
    if not ddl and not any(PLAIN_SQL.match(text) for text in texts):
        return [None]  # the SQL is put together from elsewhere
    tables = []
    for text in ddl:
        sketch = Sketch(text.rstrip("; \n"))
        match = ALTER_TABLE.match(sketch.text) or CREATE_TABLE.match(sketch.text)
        index = CREATE_INDEX.match(sketch.text)
        if match or index:
            tables.append(sketch.qualified(match[1] if match else index[3])[1])
        elif not NEUTRAL.match(sketch.text):
            return [None]
    return tables


def code_words(code):
    """(names, texts, all seen) of a function and of those of its own module that it names."""
    names, texts, todo, seen = set(), [], [code], set()
    while todo:
        function = todo.pop()
        function = getattr(function, "__func__", function)
        compiled = getattr(function, "__code__", None)
        if compiled is None:
            return names, texts, False  # a callable object
        if compiled in seen:
            continue
        seen.add(compiled)
        own, parts = set(), [compiled]
        while parts:
            part = parts.pop()
            own.update(part.co_names)
            texts += [const for const in part.co_consts if isinstance(const, str)]
            parts += [const for const in part.co_consts if hasattr(const, "co_names")]
        names |= own
        others = [function.__globals__.get(name) for name in own]
        todo += [other for other in others if hasattr(other, "__code__") and other.__module__ == function.__module__]
        texts += [other for other in others if isinstance(other, str)]
    return names, texts, True


def is_database_error(exc):
    from django.db import Error

    return any(isinstance(link, Error) for link in chain(exc))


def collect_sql(bridge, connection, executor, plan):
    """Says each planned migration and, where asked for, its SQL."""
    if not plan:
        if "sql" in bridge.parts:
            bridge.send("sql_done", statements=0, seconds=0.0, cpu_seconds=0.0)
        return
    if any(backward for _, backward in plan):
        for migration, backward in plan:
            walked = Walked.__new__(Walked)
            walked.migration, walked.moves, walked.failure = migration, [], None
            say_planned(bridge, connection, walked, backward)
        return
    began, cpu = time.perf_counter(), cpu_seconds()
    walk = StateWalk(executor)
    collector = Collector(bridge, connection, walk) if "sql" in bridge.parts else None
    try:
        for migration, _ in plan:
            walked = Walked(migration, walk)
            say_planned(bridge, connection, walked, False)
            if collector:
                collector.collect(walked)
        if collector:
            collector.finish()
    finally:
        if collector:
            collector.unhook()
    if collector:
        bridge.send("sql_done", statements=collector.statements, seconds=rounded(time.perf_counter() - began),
                    cpu_seconds=rounded(cpu_seconds() - cpu))


# --- Drift, schema, queries ---------------------------------------------------------------------------------------


def say_drift(bridge):
    """What `makemigrations --check` would find, with the project's own autodetector and without a question."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    began = time.perf_counter()
    try:
        loader = MigrationLoader(None, ignore_no_migrations=True)
        detector = autodetector()(loader.project_state(), ProjectState.from_apps(apps), silent_questioner())
        changes = detector.changes(graph=loader.graph)
    except (Exception, SystemExit) as exc:
        kind, message, members = graph_problem(exc)
        bridge.problem("drift", kind, message, members, exc)
        return
    bridge.send("drift", seconds=rounded(time.perf_counter() - began), changes=[
        {"app": app, "operations": [described_text(op) for migration in migrations for op in migration.operations]}
        for app, migrations in sorted(changes.items())])


def autodetector():
    """Django 5.2 and later: a project can replace it on its makemigrations command."""
    from django.core.management import get_commands, load_command_class
    from django.db.migrations.autodetector import MigrationAutodetector

    try:
        command = get_commands()["makemigrations"]
        if isinstance(command, str):
            command = load_command_class(command, "makemigrations")
        return getattr(command, "autodetector", MigrationAutodetector)
    except Exception:
        return MigrationAutodetector


def silent_questioner():
    from django.db.migrations.questioner import MigrationQuestioner
    from django.db.models import NOT_PROVIDED
    from django.utils import timezone

    class Silent(MigrationQuestioner):
        """Asked for a default, it gives none: the change is only named, never written."""

        def ask_not_null_addition(self, field_name, model_name):
            return NOT_PROVIDED

        def ask_not_null_alteration(self, field_name, model_name):
            return NOT_PROVIDED

        def ask_auto_now_add_addition(self, field_name, model_name):
            return timezone.now()

        def ask_unique_callable_default_addition(self, field_name, model_name):
            return NOT_PROVIDED

    return Silent(specified_apps=set(), dry_run=True)


def live_models(alias):
    """The managed models whose tables belong into this database, with automatic `through` models."""
    from django.apps import apps
    from django.db import router

    return [model for model in apps.get_models(include_auto_created=True)
            if model._meta.managed and not model._meta.proxy and not model._meta.swapped
            and router.allow_migrate_model(alias, model)]


# Read from the catalogue, not by introspection's SELECT … LIMIT 1, which needs a lock and a privilege on each table.
COLUMNS = """
SELECT n.nspname, c.relname, pg_table_is_visible(c.oid), a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
ORDER BY c.oid, a.attnum
"""


def say_schema(bridge, connection):
    began = time.perf_counter()
    tables = live_columns(connection)
    differences, models = [], live_models(bridge.alias)
    for model in models:
        differences += model_differences(connection, tables, model)
    bridge.send("schema", differences=differences, models=len(models), seconds=rounded(time.perf_counter() - began))


def live_columns(connection):
    """{table or (schema, table): {column: (not null, type)}}; a bare name is what the search path finds."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        rows = cursor.fetchall()
    tables = {}
    for schema, table, visible, column, not_null, kind in rows:
        for name in [(schema, table)] + ([table] if visible else []):
            columns = tables.setdefault(name, {})
            if column is not None:
                columns[column] = (not_null, kind)
    return tables


def model_differences(connection, tables, model):
    table = model._meta.db_table
    parts = [part.strip('"') for part in table.split('"."')]
    have = tables.get(tuple(parts) if len(parts) == 2 else parts[0])

    def difference(what, column=None, detail=None):
        return {"what": what, "table": table, "column": column, "model": model._meta.label, "detail": detail}

    if have is None:
        return [difference("missing_table")]
    found = []
    want = {field.column: field for field in model._meta.local_concrete_fields
            if field.column is not None and field.db_type(connection) is not None}
    found += [difference("missing_column", column, want[column].db_type(connection))
              for column in want if column not in have]
    found += [difference("extra_column", column, "%s%s" % (kind, " not null" if not_null else ""))
              for column, (not_null, kind) in have.items() if column not in want]
    for column, field in want.items():
        if column not in have:
            continue
        not_null, kind = have[column]
        if not_null == bool(field.null) and not field.primary_key and not getattr(field, "generated", False):
            found.append(difference("null_mismatch", column, "the database %s null, the model %s" % (
                ("refuses", "allows") if not_null else ("allows", "refuses"))))
        wanted = plain_type(field.db_type(connection))
        if wanted and plain_type(kind) and wanted != plain_type(kind):
            found.append(difference("type_mismatch", column, "the database has %s, the model wants %s" % (
                plain_type(kind), wanted)))
    return found


PLAIN_TYPES = re.compile(
    r"(?:smallint|integer|bigint|boolean|text|uuid|jsonb|json|date|bytea|inet|interval|double precision|real"
    r"|time(?:stamp)? with(?:out)? time zone|varchar(?:\(\d+\))?|char\(\d+\)|numeric(?:\(\d+,\d+\))?)(?:\[\])*$")


def plain_type(kind):
    """The type in one spelling; None where it is none of those that only one spelling belongs to."""
    kind = re.sub(r"\s*,\s*", ",", (kind or "").lower().strip()).replace("character varying", "varchar")
    kind = re.sub(r"\bcharacter\(", "char(", kind)
    kind = re.sub(r"\btime(stamp)?(?=$|\[)", r"time\1 without time zone", kind)
    kind = re.sub(r"(\[\d*\])+$", lambda match: "[]", kind)
    return kind if PLAIN_TYPES.match(kind) else None


def say_queries(bridge):
    """One real row of each model, so that columns, types and from_db() are all met once."""
    for model in live_models(bridge.alias):
        exc = None
        try:
            list(model._base_manager.using(bridge.alias).order_by()[:1])
        except Exception as raised:
            exc = raised
        bridge.send("model_query", model=model._meta.label, table=model._meta.db_table, ok=exc is None,
                    exception=None if exc is None else described(exc))


def inspect(bridge):
    """The parts that were asked for; each that cannot go on ends alone where the next does not need it."""
    connection = describe_databases(bridge)
    if "checks" in bridge.parts:
        run_checks(bridge, connection)
    deactivate_translations()
    if bridge.parts & {"graph", "sql"}:
        part(bridge, "graph", lambda: inspect_plan(bridge, connection))
    if "drift" in bridge.parts and bridge.sound_graph:
        say_drift(bridge)
    if connection is not None and "schema" in bridge.parts:
        part(bridge, "schema", lambda: say_schema(bridge, connection))
    if connection is not None and "queries" in bridge.parts:
        part(bridge, "queries", lambda: say_queries(bridge))


def deactivate_translations():
    """`migrate` and `makemigrations` run without a language: translated texts would differ from those in migrations."""
    from django.utils import translation

    translation.deactivate_all()


def inspect_plan(bridge, connection):
    executor, plan = inspect_graph(bridge, connection)
    part(bridge, "sql", lambda: collect_sql(bridge, connection, executor, plan))


def part(bridge, phase, run):
    try:
        run()
    except Answered:
        pass
    except Exception as exc:
        bridge.problem(phase, "unexpected", "%s: %s" % (type(exc).__name__, text_of(exc)), exc=exc)


# --- Migrate ------------------------------------------------------------------------------------------------------


class CleanStop(BaseException):
    """Raised before a migration starts. A BaseException, as KeyboardInterrupt is: project code does not catch it."""


class Stop:
    """Turns words, the end of stdin, SIGTERM and SIGINT into one KeyboardInterrupt in the main thread.

    Never between a COMMIT and the row in django_migrations: there the stop is held until the row is written, since
    a migration that is applied and not recorded would run a second time. A statement that runs is cancelled from
    another thread as well, since psycopg 2 does not return to Python before its end.
    """

    def __init__(self, bridge):
        self.bridge = bridge
        self.asked = None  # "after" this migration, or "now"
        self.raised = False
        self.held = False
        self.running = None  # the driver's connection, while a statement runs
        self.go = threading.Semaphore(0)
        self.main = threading.main_thread().ident

    def listen(self, reader):
        read, write = os.pipe()
        os.set_blocking(write, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.on_signal)  # also where `cmd &` left SIGINT ignored
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self.bridge.answers.after_write = self.check
        self.bridge.answers.unread = lambda: setattr(self, "asked", "now")
        for target, source in ((self.read_words, reader), (self.read_signals, read)):
            threading.Thread(target=target, args=(source,), daemon=True).start()

    def read_words(self, reader):
        for line in reader:
            try:
                word = json.loads(line).get("word")
            except (ValueError, AttributeError):
                continue
            if word == "go":
                self.go.release()
            elif word == "stop_after_migration":
                self.asked = self.asked or "after"
            elif word == "stop_now":
                self.now()
        self.now()  # Rust is gone

    def read_signals(self, descriptor):
        """The C handler writes here at once, even while the main thread is inside libpq."""
        while number := os.read(descriptor, 1):
            if number[0] in (signal.SIGTERM, signal.SIGINT):
                self.cancel()

    def now(self):
        self.asked = "now"
        self.cancel()
        signal.pthread_kill(self.main, signal.SIGTERM)

    def cancel(self):
        raw = self.running
        if raw is not None and not self.held:
            try:
                raw.cancel()
            except Exception:
                pass  # it ended meanwhile

    def on_signal(self, number, frame):
        self.asked = "now"
        if not self.bridge.answers.writing:  # else check() follows the write, so that no line is cut
            self.check()

    def check(self):
        if self.asked == "now" and not self.held and not self.raised:
            self.raised = True
            raise KeyboardInterrupt("stopped")

    def wait_for_go(self):
        self.go.acquire()  # interrupted by a signal handler that raises


class MigrateHooks:
    """Watches statements and migrations of the selected alias, and holds a stop while a commit is being recorded."""

    def __init__(self, bridge, stop):
        self.bridge = bridge
        self.send = bridge.send
        self.stop = stop
        self.number = 0
        self.current = (None, None)
        self.recording = False
        self.reported = []  # exceptions that were said already
        self.command_error = None

    def install(self):
        from django.core.management.base import BaseCommand
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.migrations.executor import MigrationExecutor

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

    def migration(self, backward):
        def around(real, executor, state, migration, *args, **kwargs):
            if executor.connection.alias != self.bridge.alias:
                return real(executor, state, migration, *args, **kwargs)
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


# --- Main ---------------------------------------------------------------------------------------------------------


def show_warnings(bridge):
    """Passes on what Python would show; Python's filters decide what that is."""
    show = warnings.showwarning

    def showwarning(message, category, filename, lineno, file=None, line=None):
        bridge.send("warning", category=category.__name__, message=text_of(message))
        show(message, category, filename, lineno, file, line)

    warnings.showwarning = showwarning


def exit_with_stdin(reader):
    """While nothing is written to the database, the end of stdin may simply end the process."""
    def watch():
        while reader.read1(4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def entered(bridge, reader):
    """What runs in the place of Django's execute_from_command_line(), inside the project's own entry."""
    def call(argv, real):
        try:
            serve(bridge, reader, argv, real)
        except Answered:
            pass
        except Exception as exc:
            bridge.problem("entry", "unexpected", "%s: %s" % (type(exc).__name__, text_of(exc)), exc=exc)
        bridge.bye()
        sys.exit(0)

    return call


def serve(bridge, reader, argv, real):
    entry_seconds = time.perf_counter() - bridge.began
    if bridge.inspecting:
        exit_with_stdin(reader)
    sessions = Sessions(bridge)
    sessions.listen()
    start_django(bridge, argv, entry_seconds)
    if bridge.inspecting:
        inspect(bridge)
    else:
        run_migrate(bridge, sessions, argv, real, reader)


def main(reader):
    answers = Answers(take_standard_streams(), "")
    request = json.loads(reader.readline())
    answers.prefix = "\x1e%s " % request["nonce"]
    bridge = Bridge(request, answers)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    show_warnings(bridge)
    bridge.send("hello", protocol=PROTOCOL, pid=os.getpid(), python=".".join(map(str, sys.version_info[:3])),
                executable=sys.executable or "", prefix=sys.prefix)
    learn_environment_secrets(answers)
    run_entry(bridge, entered(bridge, reader))
    if not bridge.finished:
        bridge.bye()


main(reader)  # noqa: F821 (the bootstrap's)

"""The aliases of DATABASES as the driver would really open them; opens the selected one.

Absent here: any doubt about a server or a role; their facts are told as they are.
"""

import os
import re

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


# A URL where a name belongs, with its user and password.
MISPLACED = re.compile(r"((?:[A-Za-z][\w+.-]*://)?[^:/@]*:)(.+)@", re.S)


def keep_misplaced_secrets(bridge, settings):
    """A URL in NAME or HOST is no name, yet errors quote it with its password."""
    for key in ("NAME", "HOST", "USER", "PORT"):
        found = MISPLACED.search(str(settings.get(key) or ""))
        if found:
            bridge.answers.keep_secret(found.group(2))


def shown_name(name):
    return MISPLACED.sub(r"\1***@", str(name or ""))


def backend_failed(bridge, alias, settings, exc):
    keep_misplaced_secrets(bridge, settings)
    selected = alias == bridge.alias
    engine = str(settings.get("ENGINE") or "")
    bridge.send("database", alias=alias, selected=selected, engine=engine, vendor=engine.rpartition(".")[2],
                name=shown_name(settings.get("NAME")), driver=None, parameters={}, password=None, resolved=False,
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
    keep_misplaced_secrets(bridge, settings)
    if connection.vendor == "postgresql":
        assume_role(parameters, (settings.get("OPTIONS") or {}).get("assume_role"))
    return {
        "alias": connection.alias,
        "selected": connection.alias == bridge.alias,
        "engine": settings["ENGINE"],
        "vendor": connection.vendor,
        "name": shown_name(settings.get("NAME") or parameters.get("dbname")),
        "driver": driver_version(connection),
        "parameters": parameters,
        "password": password,
        "resolved": server is not None,
        "test": describe_test_database(connection),
        "server": server,
    }


def assume_role(parameters, role):
    """Django says SET ROLE on each connection; libpq's `options` do the same for those who do not come through Django."""
    if role:
        escaped = re.sub(r"([\\\s])", r"\\\1", str(role))
        parameters["options"] = ("%s -c role=%s" % (parameters.get("options") or "", escaped)).strip()


def describe_test_database(connection):
    try:
        name = connection.creation._get_test_db_name()
    except Exception:
        name = ""
    return {"name": shown_name(name), "mirror": (connection.settings_dict.get("TEST") or {}).get("MIRROR")}


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
            "settings": settings, "pooled": connection.alias in bridge.pools}


def system_identifier(cursor):
    try:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        return cursor.fetchone()[0]
    except Exception:
        return None  # proxies that speak PostgreSQL need not have it; outside a transaction this costs nothing

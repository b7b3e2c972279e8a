"""Migration files, their graph, and the history that the database records.

Absent here: the plan.
"""

import os
import re
import sys
import time
import traceback


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
    unknown = re.match(r"Dependency on unknown app: (\S+)$", text_of(exc)) if type(exc) is ValueError else None
    if unknown:
        return unknown_dependency(exc, unknown[1])
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


def unknown_dependency(exc, app):
    """A dependency on `__first__` or `__latest__` of an app that is not installed; Django does not say whose it is."""
    found = [frame.f_locals.get("key") for frame, _ in traceback.walk_tb(exc.__traceback__)
             if frame.f_code.co_name == "add_external_dependencies"]
    members = ["%s.__first__" % app] + [named(key) for key in found[-1:] if key]
    whose = "Migration %s: " % members[1] if members[1:] else ""
    return "missing-migration", whose + text_of(exc), members


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

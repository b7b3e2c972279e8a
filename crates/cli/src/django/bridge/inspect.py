"""The read-only call: the parts that were asked for, one after another.

Absent here: the parts themselves.
"""


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


def deactivate_translations():
    """`migrate` and `makemigrations` run without a language: translated texts would differ from those in migrations."""
    from django.utils import translation

    translation.deactivate_all()

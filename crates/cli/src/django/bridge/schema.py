"""The live schema against the models, and one query through each model.

Absent here: the age of a difference; Rust compares with what was there before the run. Also absent: indexes,
constraints and defaults, which Django does not tie to one spelling.
"""

import re
import time


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
    if differences and bridge.drifted_from is not None:
        differences = without_drift(connection, tables, differences, bridge.drifted_from)
    bridge.send("schema", differences=differences, models=len(models), seconds=rounded(time.perf_counter() - began))


def without_drift(connection, tables, differences, loader):
    """Leaves out what the migrations do not know of either: where the table is as they say, the models have drifted,
    which is told by itself. Apps whose migrations have other keys than DEFAULT_AUTO_FIELD says are full of it."""
    try:
        migrated = loader.project_state().apps
    except Exception:  # a state that cannot be rendered excuses nothing
        return differences
    own, kept = {}, []
    for found in differences:
        label = found["model"]
        if label not in own:
            try:
                own[label] = model_differences(connection, tables, migrated.get_model(label))
            except LookupError:  # a model without a migration
                own[label] = differences
        place = found["what"], found["table"], found["column"]
        if any(place == (other["what"], other["table"], other["column"]) for other in own[label]):
            kept.append(found)
    return kept


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
        if field.primary_key and model._meta.auto_created:
            # Django's own doing: the key of an automatic `through` table is of DEFAULT_AUTO_FIELD while migrations run,
            # and of the app's default_auto_field in the live models; no migration ever brings the two together.
            continue
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

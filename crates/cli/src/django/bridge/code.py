"""The code of a RunPython, looked at without running it: which tables' constraints it may change.

Absent here: any certainty; what cannot be told counts as every table.
"""

import re

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

"""Exceptions as facts: their wire form, their causes, and what they say about the installation.

Absent here: the class of a problem, which the part that meets an exception knows.
"""

import builtins
import importlib.util
import re
import traceback


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


def is_database_error(exc):
    from django.db import Error

    return any(isinstance(link, Error) for link in chain(exc))


def is_driver_error(exc):
    """The driver itself, before it asked the database, as where it cannot write a value."""
    return type(exc).__module__.split(".")[0] in ("psycopg", "psycopg2") and sqlstate(exc) is None


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

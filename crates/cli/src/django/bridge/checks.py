"""Django's system checks, as `migrate` and `check --database` run them.

Absent here: which level stops a run.
"""

import time


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

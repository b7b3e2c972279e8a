"""Where it all starts: standard streams, the request, the project's entry, and what runs in Django's place.

Absent here: an exit code that means something; answers do that.
"""

import json
import os
import signal
import sys
import threading
import time
import warnings


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

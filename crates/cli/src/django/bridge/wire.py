"""The Python side of django-migrate: reads, renders and runs what it is told, and answers in tagged JSON lines.

It starts the project as the project starts itself (its own manage.py or entry function, with
`django.core.management.execute_from_command_line` replaced), and then either looks at it (`inspect`, in read-only
sessions) or runs the project's own `migrate` with hooks. The protocol is described in wire.rs; the two change together.

The files of this folder are one script: bridge.rs joins them in reading order, and at run time they share one
namespace, in which every name is defined once and functions use each other's freely. Each imports what it uses of the
standard library; what it uses of Django it imports inside functions, since nothing of Django may be imported before
the project's own entry does it.

How it is started: `PYTHON -c BOOTSTRAP LENGTH`. The bootstrap (bootstrap.py) duplicates descriptor 0, reads LENGTH
bytes of this script from it and executes them; it leaves the buffered `reader` behind, from which the request and the
words are read here. Nothing may be read from descriptor 0 in any other way, since `reader` holds what it read ahead.

Absent here, on purpose: decisions. Whether a fact is an error, a question or nothing, and what is done about it, is
Rust's to say. Also absent: anything beyond the standard library and Django's own API, and text for people.

Python 3.10 and later, Django 4.2 and later, psycopg 2 and 3.

This first file is the wire itself: how an answer leaves the process.
"""

import json
import os
import re
import sys
import threading

PROTOCOL = 1
OLDEST_DJANGO = (4, 2)


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

    def leave(self):
        """In a forked process: whoever reads the answers hears of the first one only."""
        self.descriptor = os.open(os.devnull, os.O_WRONLY)
        self.lock, self.writing, self.after_write, self.unread = threading.Lock(), False, None, None

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

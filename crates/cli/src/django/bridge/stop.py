"""A stop that never leaves a migration applied and not recorded.

Absent here: patience; who asks for a stop decides how long to wait for it.
"""

import json
import os
import signal
import threading


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

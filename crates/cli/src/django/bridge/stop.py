"""A stop that never leaves a migration applied and not recorded, and the end of one attempt on request.

Absent here: patience; who asks for a stop decides how long to wait for it. Also absent: the words that answer a
question, which words.py keeps.
"""

import os
import signal
import threading
import time


class CleanStop(BaseException):
    """Raised before a migration starts. A BaseException, as KeyboardInterrupt is: project code does not catch it."""


class LetGo(BaseException):
    """Raised in an attempt that is to let go of its locks; it may be made again."""

    __module__ = "django_migrate"


class Stop:
    """Turns words, the end of stdin, SIGTERM and SIGINT into one KeyboardInterrupt in the main thread, and the word
    `let_go` into one LetGo for each attempt.

    Never between a COMMIT and the row in django_migrations: there the stop is held until the row is written, since
    a migration that is applied and not recorded would run a second time. A statement that runs is cancelled from
    another thread as well, since psycopg 2 does not return to Python before its end, and again until it has ended: a
    cancel that comes before its statement does nothing.

    LetGo never interrupts the driver while the server works for it: psycopg 3 cleans up after KeyboardInterrupt and
    SystemExit only. There the cancel makes the driver raise, and check() turns that into LetGo. A statement outside a
    transaction has let go of everything with its own end: there the attempt goes on, and it is asked for the statement.
    """

    NUDGE = signal.SIGURG  # ignored by default, and used by nobody
    INTERVAL = 0.02

    def __init__(self, bridge):
        self.bridge = bridge
        self.asked = None  # "after" this migration, or "now"
        self.wake = lambda: None  # whoever waits for a word
        self.raised = False
        self.held = False
        self.running = None  # the driver's connection, while a statement runs
        self.attempt = None  # the one that runs; let_go is about this one only
        self.let_go_of = None
        self.interrupted = None  # the attempt in which a signal raised LetGo: not twice
        self.quiet = False  # a ROLLBACK is under way, and must not be cancelled
        self.cancelling = threading.Lock()
        self.main = threading.main_thread().ident

    def listen(self):
        read, write = os.pipe()
        os.set_blocking(write, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.on_signal)  # also where `cmd &` left SIGINT ignored
        signal.signal(self.NUDGE, self.on_nudge)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self.bridge.answers.after_write = self.check
        self.bridge.answers.unread = lambda: setattr(self, "asked", "now")
        threading.Thread(target=self.read_signals, args=(read,), daemon=True).start()
        os.register_at_fork(after_in_child=self.forked)

    def forked(self):
        """A process that a migration's code forks (multiprocessing) is nobody's to ask or stop, and says nothing."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(self.NUDGE, signal.SIG_DFL)
        self.bridge.answers.leave()
        self.attempt = None
        self.held = True

    def read_signals(self, descriptor):
        """The C handler writes here at once, even while the main thread is inside libpq."""
        while number := os.read(descriptor, 1):
            if number[0] in (signal.SIGTERM, signal.SIGINT):
                self.cancel()

    # What may be asked, from the thread that reads the words

    def after(self):
        self.asked = self.asked or "after"

    def now(self):
        self.asked = "now"
        self.cancel()
        signal.pthread_kill(self.main, signal.SIGTERM)
        self.insist()

    def let_go(self):
        """Of the attempt that runs; where none does, or where it has nothing in hand, it is over already."""
        with self.cancelling:
            if self.running is not None or not self.empty_handed():
                self.let_go_of = self.attempt
        if self.letting_go():
            self.insist()

    def empty_handed(self):
        return self.attempt is not None and is_untouched(self.attempt.connection)

    def letting_go(self):
        return self.attempt is not None and self.let_go_of is self.attempt

    def insist(self):
        def again():
            while self.unheard():
                self.cancel()
                signal.pthread_kill(self.main, self.NUDGE)
                time.sleep(self.INTERVAL)

        threading.Thread(target=again, daemon=True).start()

    def unheard(self):
        if self.asked == "now":
            return not self.raised
        return self.letting_go() and self.interrupted is not self.attempt

    def cancel(self):
        with self.cancelling:
            raw = self.busy()
            if raw is None or self.held or self.quiet:
                return
            try:
                raw.cancel()
            except Exception:
                pass  # it ended meanwhile

    def busy(self):
        """The driver's connection that the server works for: a statement, or a fetch that no hook sees."""
        if self.running is not None:
            return self.running
        raw = self.attempt and self.attempt.connection.connection
        return raw if raw is not None and transaction_status(raw) == ACTIVE else None

    # In the main thread

    def on_signal(self, number, frame):
        self.asked = "now"
        self.wake()
        if not self.bridge.answers.writing:  # else check() follows the write, so that no line is cut
            self.check()

    def on_nudge(self, number, frame):
        """Raises where nothing is cut in two; else the next nudge finds a better moment."""
        if self.bridge.answers.writing:
            return
        if self.asked == "now":
            self.check()
        if self.quiet or self.busy() is not None or not self.cancelling.acquire(blocking=False):
            return
        self.cancelling.release()  # no cancel is on its way that could hit the ROLLBACK
        if self.letting_go() and self.interrupted is not self.attempt:
            self.interrupted = self.attempt
            self.check()
            self.interrupted = None  # it was held

    def check(self):
        if self.held or threading.get_ident() != self.main:
            return
        if self.asked == "now" and not self.raised:
            self.raised = True
            raise KeyboardInterrupt("stopped")
        if self.letting_go() and not self.quiet:
            self.interrupted = self.attempt
            raise LetGo("asked to let go")

    def hold(self):
        """A COMMIT is sent next."""
        with self.cancelling:
            self.held = True

    def ends(self):
        """A cancel that is on its way is for this statement, not for the next; what was asked of one outside a transaction
        is done with its end."""
        with self.cancelling:
            self.running = None
            if self.empty_handed():
                self.let_go_of = None

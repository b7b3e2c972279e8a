"""The words that answer what was asked: `go`, `skip`, `retry`, `give_up`.

Absent here: the words that nobody asked for, which stop.py heeds at once.
"""

import json
import queue
import threading


class Words:
    """Reads them in a thread of its own, and keeps answers until the main thread asks."""

    WAKE = {"word": None}

    def __init__(self, stop):
        self.stop = stop
        self.answers = queue.SimpleQueue()  # get() is interrupted by a signal handler that raises
        self.unasked = {"stop_after_migration": self.after, "stop_now": stop.now, "let_go": stop.let_go}
        stop.wake = lambda: self.answers.put(self.WAKE)

    def listen(self, reader):
        threading.Thread(target=self.read, args=(reader,), daemon=True).start()

    def read(self, reader):
        for line in reader:
            try:
                word = json.loads(line)
                heed = self.unasked.get(word.get("word"))
            except (ValueError, AttributeError):
                continue
            if heed:
                heed()
            else:
                self.answers.put(word)
        self.stop.now()  # Rust is gone

    def after(self):
        self.stop.after()
        self.answers.put(self.WAKE)

    def wait_for(self, *wanted, stops=False):
        """The next of these words. Others answer what is asked no more: an attempt ended while they were on their way.

        Where a stop is held nobody is waited for: the row of what was committed is written. `stops`: nothing has begun
        yet, so that a stop after the current migration ends the wait as well.
        """
        while True:
            self.stop.check()
            if self.stop.asked == "now":
                return {"word": "give_up" if "give_up" in wanted else wanted[0]}
            if stops and self.stop.asked:
                raise CleanStop
            word = self.answers.get()
            if word["word"] in wanted:
                return word

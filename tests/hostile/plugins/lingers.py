"""A detector that starts threads for which Python waits."""

import threading
from concurrent.futures import ThreadPoolExecutor

from grokbench import Detector, Finding, Options, hookimpl


class How(Options):
    how: str = "for ever"


class Lingers(Detector):
    """It leaves a thread that never ends and fails, or it leaves a pool of idle threads."""

    name = "lingers"
    Options = How

    def find(self, data):
        if self.options.how == "for ever":
            threading.Thread(target=threading.Event().wait).start()
            raise ValueError("it gives up")
        Lingers.pool = ThreadPoolExecutor(1)
        Lingers.pool.submit(int).result()
        return Finding(0.0, 0.0, 0.0, "accuracy", 2, "seen")


@hookimpl
def register_detectors(register):
    register(Lingers)

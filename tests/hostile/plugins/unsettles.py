"""A detector and a measure that change everything they can for the whole process."""

import gc
import locale
import os
import random
import resource
import signal
import sys
import warnings
from typing import ClassVar

import numpy as np
import torch

from grokbench import Detector, Finding, Measure, hookimpl


def unsettle():
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("medium")
    torch.autograd.set_detect_anomaly(True)
    torch.manual_seed(13)
    np.seterr(all="raise")
    np.set_printoptions(precision=1)
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(300)
    sys.path.clear()
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    os.chdir("/")
    os.environ.clear()


class Unsettles(Detector):
    """It finds what is there, and leaves nothing as it was."""

    name = "unsettles"

    def find(self, data):
        unsettle()
        print("this is not JSON")  # noqa: T201
        sys.stdout.close()
        sys.stderr.close()
        sys.stdout = sys.stderr = None
        return Finding(0.0, 0.0, 0.0, "accuracy", 2, "seen")


class Unsettling(Measure):
    """It measures nothing, draws no number from numpy or Python, and changes the rest."""

    name = "unsettling"
    quantities: ClassVar = {"nothing": "zero"}

    def measure(self, snapshot):
        drawn = np.random.get_state(), random.getstate()  # noqa: NPY002
        unsettle()
        np.random.set_state(drawn[0])  # noqa: NPY002
        random.setstate(drawn[1])
        snapshot.examples.labels.zero_()
        snapshot.examples.train.fill_(value=True)
        snapshot.like.double()
        return {"nothing": 0.0}


@hookimpl
def register_detectors(register):
    register(Unsettles)


@hookimpl
def register_measures(register):
    register(Unsettling)

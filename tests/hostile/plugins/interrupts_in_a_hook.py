"""A plugin that pretends to be Ctrl-C in its hooks."""

from grokbench import hookimpl


@hookimpl
def register_detectors(register):
    raise KeyboardInterrupt


@hookimpl
def register_tasks(register):
    raise SystemExit(0)

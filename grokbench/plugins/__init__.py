"""Plugins: how they are found, loaded and guarded, and what they registered.

Each plugin has a pluggy manager of its own. So an error is always known to be one plugin's, and the
other plugins work on.

| file | does |
| --- | --- |
| `registry.py` | `Plugins`: all plugins, and a catalogue for each kind of definition |
| `plugin.py` | one plugin: its hooks are called, its errors are remembered |
| `loading.py` | entry points, single files, and an import that changes nothing for others |
| `stand_ins.py` | what stands in for definitions whose plugin is not loaded |
| `digests.py` | digests of a plugin's code, by which an edited plugin is noticed |
| `guarding.py` | `guard`: every call into a plugin's code stands within it |
| `tracing.py` | what `GROKBENCH_TRACE=1` prints |
| `commands.py` | commands of plugins |
"""

from grokbench.plugins.guarding import (
    describe,
    end_if_forked,
    guard,
    message_of,
    no_child_goes_on,
)
from grokbench.plugins.plugin import COMMAND_GROUP, DEFINITION_GROUP, HOOKS, Origin
from grokbench.plugins.registry import Plugins

__all__ = [
    "COMMAND_GROUP",
    "DEFINITION_GROUP",
    "HOOKS",
    "Origin",
    "Plugins",
    "describe",
    "end_if_forked",
    "guard",
    "message_of",
    "no_child_goes_on",
]

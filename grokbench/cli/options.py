"""Arguments and options that several commands share, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from grokbench.cli.console import promise_json

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

SECONDS = {"h": 3600, "m": 60, "s": 1}


class PluginFile(click.Path):
    """The path of a single-file plugin."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Any = super().convert(value, param, ctx)
        if path.suffix != ".py":
            self.fail(
                f"{value} is no Python file; name a plugin's file, which ends in .py. A suite is given "
                f"without an option, or with --suite",
                param,
                ctx,
            )
        return path


class Duration(click.ParamType[float]):
    """`25m`, `1h30m`, `90s`, or a number of seconds. The value is in seconds."""

    name = "duration"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        if re.fullmatch(r"\d+(\.\d+)?", value):
            seconds = float(value)
        elif re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?", value):
            seconds = float(
                sum(int(n) * SECONDS[unit] for n, unit in re.findall(r"(\d+)([hms])", value))
            )
        else:
            self.fail(f"{value!r} is not a duration; write 25m, 1h30m or 90s", param, ctx)
        if seconds <= 0:
            self.fail("must be longer than zero; write 25m, 1h30m or 90s", param, ctx)
        return seconds


class Shard(click.ParamType[tuple[int, int]]):
    """`2/8` is the second of eight shards. The value is (2, 8)."""

    name = "shard"

    def convert(
        self,
        value: str | tuple[int, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d+)/(\d+)", value)
        if not match:
            self.fail(f"{value!r} is not a shard; write 2/8 for the second of eight", param, ctx)
        index, count = int(match[1]), int(match[2])
        if not 1 <= index <= count:
            self.fail(f"{value!r}: shards are counted from 1 to {count}", param, ctx)
        return index, count


suite_file = click.argument("suite", type=EXISTING_FILE, metavar="SUITE")

results = click.argument("results", type=click.Path(exists=True, path_type=Path), metavar="RESULTS")

plugin_files = click.option(
    "--plugin",
    type=PluginFile(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Load a plugin from a single file: its code is executed. Repeatable.",
)

trust_plugins = click.option(
    "--trust-plugins",
    is_flag=True,
    help="Execute the plugins that the results name, if they lie in the folder of the results. Without "
    "this option, no code of the results is executed.",
)

another_suite = click.option(
    "--suite",
    type=EXISTING_FILE,
    metavar="SUITE",
    help="Judge by the claims of this file instead of those that the results carry. The plugins that "
    "the file names are executed.",
)

output_folder = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The results folder.  [default: results/<name of the suite>]",
)

device = click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="DEVICE",
    help="The device to train on: cpu, cuda, cuda:1, …",
)

jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="The number of worker processes.  [default: one for each CPU core that may be used; one on a GPU]",
)

only = click.option(
    "--only",
    multiple=True,
    metavar="EXPERIMENT",
    help="Train this experiment only. Repeatable.",
)

seeds = click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train only the first N seeds of each experiment.",
)

shard = click.option(
    "--shard",
    type=Shard(),
    metavar="I/N",
    help="Train the I-th of N shares of the suite, for N machines.",
)

retry_failed = click.option(
    "--retry-failed", is_flag=True, help="Train the runs that raised an error again."
)

as_json = click.option(
    "--json", is_flag=True, callback=promise_json, help="Print JSON instead of a table."
)


def chosen_runs(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments and options by which `run` and `plan` choose the suite and its runs."""
    for option in (
        plugin_files,
        retry_failed,
        seeds,
        shard,
        jobs,
        device,
        only,
        output_folder,
        suite_file,
    ):
        command = option(command)
    return command

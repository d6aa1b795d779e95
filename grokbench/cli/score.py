"""`grokbench score`: the verdicts on results, without training."""

from __future__ import annotations

from pathlib import Path

import click

from grokbench.cli import options
from grokbench.cli.console import print_json, say_what_is_done
from grokbench.cli.judged import judge
from grokbench.cli.verdicts import print_verdicts


@click.command()
@options.results
@options.another_suite
@options.plugin_files
@options.trust_plugins
@options.as_json
def score(
    results: Path, suite: Path | None, plugin: tuple[Path, ...], trust_plugins: bool, json: bool
) -> None:
    """Judge the claims on RESULTS again, without training.

    RESULTS is a dataset, or the folder it is in. Plugins that RESULTS name are not executed unless
    --suite, --plugin or --trust-plugins asks for it; claims that need them are then not judged.
    """
    say_what_is_done(f"Reading {results}")
    judged = judge(results, suite, plugin, trust=trust_plugins).with_outlooks()
    if json:
        from grokbench.claims import verdicts_document

        print_json(verdicts_document(judged.suite, judged.verdicts, judged.tree))
    else:
        print_verdicts(judged.verdicts)

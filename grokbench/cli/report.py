"""`grokbench report`: one page with all verdicts and figures."""

from __future__ import annotations

from pathlib import Path

import click

from grokbench.cli import options
from grokbench.cli.console import say, say_what_is_done, writing
from grokbench.cli.judged import judge


@click.command()
@options.results
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the page goes.  [default: report.html beside the dataset]",
)
@click.option(
    "--figures",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also save each figure as files in this folder.",
)
@options.another_suite
@options.plugin_files
@options.trust_plugins
def report(
    results: Path,
    output: Path | None,
    figures: Path | None,
    suite: Path | None,
    plugin: tuple[Path, ...],
    trust_plugins: bool,
) -> None:
    """Write one self-contained page about RESULTS.

    RESULTS is a dataset, or the folder it is in. Plugins that RESULTS name are not executed unless
    --suite, --plugin or --trust-plugins asks for it; claims that need them are then not judged.
    """
    say_what_is_done(f"Reading {results}")
    from grokbench.report import save_figures, write_report

    judged = judge(results, suite, plugin, trust=trust_plugins).with_outlooks()
    folder = results if results.is_dir() else results.parent
    page = output or folder / "report.html"
    with writing(page, "--output report.html"):
        write_report(judged.tree, judged.suite, judged.verdicts, page)
    say(page)
    if figures is not None:
        with writing(figures, "--figures figures"):
            paths = save_figures(judged.tree, judged.verdicts, figures)
        for path in paths:
            say(path)

"""The packages in plugins/ are a third party's: they install, conform, and do what they say."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from grokbench import load_suite, open_results, provenance, score
from grokbench.plan import make_plan
from grokbench.plugins import Plugins
from grokbench.store import Store

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def run(python: str | Path, folder: Path, *words: str, **environment: str) -> str:
    """What Python prints, called in a folder; it must end well."""
    done = subprocess.run(
        [python, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def announced(package: Path, site: Path) -> Path:
    """As if the package were installed in `site`: its metadata, and its source beside them."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["grokbench"].items()
    (metadata / "entry_points.txt").write_text(
        "\n".join(["[grokbench]", *(f"{key} = {value}" for key, value in points)])
    )
    for source in (package / "src").iterdir():
        (site / source.name).symlink_to(source)
    return site


def test_there_are_packages() -> None:
    names = ["fourier", "grokfast", "optimizers", "permutations"]
    assert [f"grokbench-{name}" for name in names] == [package.name for package in PACKAGES]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: one.name)
def test_a_package_passes_its_own_tests(package: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(announced(package, tmp_path)), str(ROOT)])
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore::ImportWarning")
    assert " passed" in run(sys.executable, package, *words, PYTHONPATH=path)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: one.name)
def test_its_stored_results_are_all_of_its_suite_and_score_as_they_did(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(announced(package, tmp_path))
    suite = load_suite(package / "suite.toml")
    plugins = Plugins.load()
    tree = open_results(package / "results")
    records = Store(package / "results", suite.name).records()
    assert () == make_plan(suite, plugins, records).missing
    verdicts = score(suite, tree, plugins.detectors)
    assert [] == [str(verdict) for verdict in verdicts if not verdict.expected]
    assert suite.text == provenance(tree)["suite"]["text"]


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: one.name)
def test_a_package_installs_into_a_clean_environment(package: Path, tmp_path: Path) -> None:
    """One without any package of its own, that finds grokbench and torch in this one."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    (site,) = environment.rglob("site-packages")
    here = [sysconfig.get_paths()["purelib"], str(ROOT)]
    (site / "running.pth").write_text("\n".join(here), encoding="utf-8")
    without = run(python, tmp_path, "-m", "grokbench", "list", "plugins")
    assert package.name not in without
    copy = tmp_path / package.name
    run(
        sys.executable,
        ROOT,
        "-c",
        f"import shutil; shutil.copytree({str(package)!r}, {str(copy)!r})",
    )
    pip = ("-m", "pip", "install", "--no-deps", "--no-build-isolation", ".")
    run(python, copy, *pip)
    assert package.name in run(python, tmp_path, "-m", "grokbench", "list", "plugins")
    assert " passed" in run(python, copy, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "no mistakes" in run(python, copy, "-m", "grokbench", "validate", "suite.toml")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: one.name)
def test_a_package_imports_only_what_the_documents_call_public(package: Path) -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    section = page.partition("## What a plugin may import\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    public = set(re.findall(r"`([\w.]+)`", " ".join(rows)))
    imported = {
        node.module
        for source in (package / "src").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "grokbench"
    }
    assert imported
    rooms = {".".join(str(module).split(".")[:2]) for module in imported}
    assert set() == rooms - public


def test_nothing_in_the_core_knows_them() -> None:
    names = [name for one in PACKAGES for name in (one.name, one.name.replace("-", "_"))]
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "grokbench").rglob("*.py")]
    assert [] == [name for name in names if any(name in text for text in sources)]

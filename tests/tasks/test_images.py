"""Image tasks: what is inside the package, what is read from a folder, and how examples are drawn."""

from __future__ import annotations

import gzip
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grokbench import CrossEntropy, DataError, Images, SquaredError, Streams, plan_suite, run_suite
from grokbench.tasks import ImageClassification
from grokbench.tasks.image_sets import IMAGE_SETS
from tests.tasks.idx_files import idx

NAMES = tuple(IMAGE_SETS["mnist"].files)


def task(dataset: str = "digits", **options: object) -> ImageClassification:
    return ImageClassification.from_options({"dataset": dataset, **options})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small files under the names of MNIST: seven images that may train, three to test."""
    generator = np.random.default_rng(0)
    labels = [[0, 1, 2, 3, 4, 5, 9], [7, 7, 0]]
    contents = []
    for some in labels:
        contents += [idx(generator.integers(256, size=(len(some), 28, 28))), idx(some)]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    small = replace(
        IMAGE_SETS["mnist"], images=7, test=3, files=dict(zip(NAMES, digests, strict=True))
    )
    monkeypatch.setitem(IMAGE_SETS, "mnist", small)
    monkeypatch.setenv("GROKBENCH_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    for name, content in zip(NAMES, contents, strict=True):
        packed = "train" in name
        file = tmp_path / "mnist" / (f"{name}.gz" if packed else name)
        file.write_bytes(gzip.compress(content) if packed else content)
    return tmp_path


def test_the_digits_are_scikit_learns() -> None:
    pixels, labels = IMAGE_SETS["digits"].load()
    assert (1797, 1, 8, 8) == pixels.shape
    assert [0, 0, 5, 13, 9, 1, 0, 0] == pixels[0, 0, 0].tolist()
    assert 16 == pixels.max()
    assert [178, 182, 177, 183, 181, 182, 181, 179, 174, 180] == labels.bincount().tolist()


def test_the_five_thousand_digits_are_mlxtends() -> None:
    pixels, labels = IMAGE_SETS["mnist_5k"].load()
    assert (5000, 1, 28, 28) == pixels.shape
    assert (0, 255) == (pixels.min(), pixels.max())
    assert [500] * 10 == labels.bincount().tolist()
    assert 5000 == len({image.numpy().tobytes() for image in pixels})


@pytest.mark.skipif("GROKBENCH_DATA" not in os.environ, reason="GROKBENCH_DATA is not set")
def test_the_real_fashion_mnist_is_read() -> None:
    """With Debian's package: GROKBENCH_DATA=/usr/share/datasets."""
    assert task("fashion_mnist").missing() is None
    pixels, labels = IMAGE_SETS["fashion_mnist"].load()
    assert (70_000, 1, 28, 28) == pixels.shape
    assert [7000] * 10 == labels.bincount().tolist()


def test_a_loss_has_its_judgement_and_labels() -> None:
    crossed, squared = task(), task(loss="squared_error")
    assert (CrossEntropy(10), SquaredError(10)) == (crossed.judgement, squared.judgement)
    classes, targets = (one.examples(5, Streams(0)).labels for one in (crossed, squared))
    assert torch.eye(10)[classes].tolist() == targets.tolist()


def test_pixels_are_from_0_to_1_in_the_order_of_torchs_convolutions() -> None:
    for dataset, side in (("digits", 8), ("mnist_5k", 28)):
        chosen = task(dataset, validation_size=9)
        inputs = chosen.examples(4, Streams(0)).inputs
        assert Images(side, side) == chosen.inputs
        assert (13, 1, side, side) == inputs.shape
        assert torch.float32 == inputs.dtype
        assert (0, 1) == (inputs.min(), inputs.max())


def rows(dataset: str, data_size: int, seed: int = 0, **options: object) -> tuple[set, set]:
    """The images that train, and those that validate."""
    examples = task(dataset, **options).examples(data_size, Streams(seed))
    images = np.array([image.numpy().tobytes() for image in examples.inputs])
    train, validation = set(images[examples.train]), set(images[examples.validation])
    assert len(images) == len(train) + len(validation)
    return train, validation


def test_a_larger_data_size_adds_images_and_a_fixed_validation_set_stays() -> None:
    few, validation = rows("digits", 100, validation_size=200)
    many, same = rows("digits", 1500, validation_size=200)
    assert (100, 1500, 200) == (len(few), len(many), len(same))
    assert few < many
    assert validation == same


def test_all_that_does_not_train_validates_and_seeds_differ() -> None:
    train, validation = rows("digits", 1000)
    assert (1000, 797) == (len(train), len(validation))
    assert train != rows("digits", 1000, seed=1)[0]


def test_a_test_set_validates_and_never_trains(folder: Path) -> None:
    validating = set(range(3))
    for seed in range(4):
        train, validation = rows("mnist", 7, seed)
        assert (7, 3) == (len(train), len(validation))
        examples = task("mnist").examples(7, Streams(seed))
        assert [0, 1, 2, 3, 4, 5, 9] == sorted(examples.labels[examples.train].tolist())
        assert [0, 7, 7] == sorted(examples.labels[examples.validation].tolist())
        validating &= {int(one) for one in examples.labels[examples.validation]}
    few = {frozenset(rows("mnist", 2, seed, validation_size=1)[1]) for seed in range(9)}
    assert len(few) > 1


@pytest.mark.parametrize(
    ("options", "data_size", "answer"),
    [
        ({}, 1797, None),
        ({}, 0, "there are 1797 images to train on; write 1 to 1797, not 0"),
        ({}, 1798, "there are 1797 images to train on; write 1 to 1797, not 1798"),
        ({"validation_size": 797}, 1000, None),
        ({"validation_size": 798}, 1000, "only 797 images are left to validate; write less"),
        ({"dataset": "mnist", "validation_size": 10_000}, 60_000, None),
        (
            {"dataset": "mnist", "validation_size": 10_001},
            1,
            "only 10000 images are in the test set",
        ),
    ],
)
def test_a_data_size_is_judged_without_the_images(
    options: dict[str, object], data_size: int, answer: str | None
) -> None:
    found = ImageClassification.from_options(options).check(data_size)
    assert found == answer if answer is None else answer in str(found)


def test_files_plain_and_packed_are_found_where_torchvision_puts_them(folder: Path) -> None:
    (folder / "MNIST").mkdir()
    (folder / "mnist").rename(folder / "MNIST/raw")
    assert task("mnist").missing() is None


def test_without_a_folder_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROKBENCH_DATA", raising=False)
    assert (
        "fashion_mnist is not inside grokbench; get its four files from "
        "https://github.com/zalandoresearch/fashion-mnist, or Debian's package "
        "dataset-fashion-mnist, put them into a folder DATA/fashion_mnist, and set the environment "
        "variable GROKBENCH_DATA=DATA"
    ) == task("fashion_mnist").missing()


def test_a_file_that_is_missing_is_named(folder: Path) -> None:
    (folder / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    message = str(task("mnist").missing())
    assert f"not found in {folder}/mnist: t10k-labels-idx1-ubyte (GROKBENCH_DATA is" in message
    assert "get the files from https://ossci-datasets.s3.amazonaws.com/mnist/" in message


def test_a_file_of_another_set_is_told(folder: Path) -> None:
    digits = Path(str(IMAGE_SETS["digits"].folder())) / "digits-labels-idx1-ubyte.gz"
    (folder / "mnist" / "t10k-labels-idx1-ubyte").write_bytes(digits.read_bytes())
    assert "is not the file of mnist: the file belongs to digits" in str(task("mnist").missing())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "is damaged: [3] numbers are 11 bytes, and the file has 10"),
        (lambda content: content[:-1] + b"\x05", "is not the file of mnist: its SHA-256 is"),
        (lambda content: gzip.compress(content)[:-4], "the gzip file is damaged"),
    ],
    ids=["short", "changed", "cut"],
)
def test_a_damaged_file_is_told(folder: Path, damage, message: str) -> None:
    file = folder / "mnist" / "t10k-labels-idx1-ubyte"
    file.write_bytes(damage(file.read_bytes()))
    assert f"{file}: " in str(task("mnist").missing())
    assert message in str(task("mnist").missing())
    with pytest.raises(DataError, match="t10k-labels"):
        task("mnist").examples(5, Streams(0))


SUITE = """
[experiments.images]
task = { name = "image_classification", dataset = "mnist", validation_size = 2 }
architecture = "mlp"
recipe = { optimizer = "adamw", steps = 3 }
model_sizes = [4]
data_sizes = [5]
seeds = 2

[experiments.numbers]
task = { name = "modular_addition", modulus = 5 }
architecture = "mlp"
recipe = { optimizer = "adamw", steps = 3 }
model_sizes = [4]
data_sizes = [9]
seeds = 1
"""


def test_without_the_files_nothing_is_trained_and_stored_results_are_still_judged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, out = folder / "images.toml", folder / "out"
    suite.write_text(SUITE, encoding="utf-8")
    monkeypatch.delenv("GROKBENCH_DATA")
    with pytest.raises(DataError, match=r"not inside grokbench.*; without images: --only numbers"):
        run_suite(suite, out, jobs=1)
    assert not out.exists()
    [note] = plan_suite(suite, out, measure=False).notes
    assert note.startswith("2 runs of image_classification(loss=cross_entropy, validation_size=2, ")
    assert "are left out: mnist is not inside grokbench; get its four files from" in note
    assert 1 == run_suite(suite, out, only=["numbers"], jobs=1).trained

    monkeypatch.setenv("GROKBENCH_DATA", str(folder))
    sitting = run_suite(suite, out, jobs=1)
    assert (2, 0) == (sitting.trained, sitting.failed)

    monkeypatch.delenv("GROKBENCH_DATA")
    assert 0 == run_suite(suite, out, jobs=1).remaining

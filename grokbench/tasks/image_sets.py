"""Sets of labelled images: those inside the package, and those in a folder that the user names.

Nothing is downloaded. The content of every file is compared with its SHA-256, so that the name of a set
means the same images everywhere, and the folder need not be part of a run's identity.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from grokbench.errors import DataError
from grokbench.tasks.base import Images
from grokbench.tasks.idx import parse_idx, unpacked

FOLDER = "GROKBENCH_DATA"
"""The environment variable with the folder of sets that are not inside the package."""

INSIDE = Path(__file__).with_name("data")
"""The folder of the sets inside the package; its README.md has sources and licences."""


@dataclass(frozen=True)
class ImageSet:
    """Labelled images in IDX files.

    Attributes:
        images: the number of images that can train.
        test: the number of images that only validate; 0 if there is no official test set.
        brightest: the largest value that a pixel can have.
        files: the name of each file, without `.gz`, and the SHA-256 of its unpacked content: images and
            labels, then those of the test set.
        folders: where the files are in the user's folder; empty for a set inside the package.
        source: where to get the files.
    """

    name: str
    inputs: Images
    images: int
    test: int
    brightest: int
    files: Mapping[str, str]
    folders: tuple[str, ...] = ()
    source: str = ""
    classes: int = 10

    def load(self) -> tuple[Tensor, Tensor]:
        """All images, those that only validate at the end, and their labels.

        Returns:
            Pixels [images, channels, height, width] uint8, and labels [images] int64. They are shared
            by all calls and must not be written into.

        Raises:
            DataError: files are missing, cannot be read, are damaged, or have another content. The
                message says what to do.
        """
        return _load(self.name, self.folder())

    def folder(self) -> Path:
        """The folder that has all files.

        Raises:
            DataError: there is no such folder.
        """
        if not self.folders:
            return INSIDE
        root = os.environ.get(FOLDER, "")
        if not root:
            raise DataError(
                f"{self.name} is not inside grokbench; get its four files from {self.source}, put them "
                f"into a folder DATA/{self.folders[0]}, and set the environment variable {FOLDER}=DATA"
            )
        folders = [Path(root).expanduser() / folder for folder in self.folders]
        complete = (folder for folder in folders if not self._missing_in(folder))
        if found := next(complete, None):
            return found
        begun = next((folder for folder in folders if folder.is_dir()), folders[0])
        missing = ", ".join(self._missing_in(begun))
        raise DataError(
            f"{self.name}: not found in {begun}: {missing} ({FOLDER} is {root!r}; searched there: "
            f"{', '.join(self.folders)}); get the files from {self.source}, and put them there, plain or "
            "packed (.gz)"
        )

    def _missing_in(self, folder: Path) -> list[str]:
        return [name for name in self.files if _file(folder, name) is None]


def _file(folder: Path, name: str) -> Path | None:
    """The plain file, or the packed one; None if there is neither."""
    paths = (folder / name, folder / f"{name}.gz")
    return next((path for path in paths if path.is_file()), None)


@cache
def _load(name: str, folder: Path) -> tuple[Tensor, Tensor]:
    """All images and labels of a set; kept for the rest of the process."""
    chosen = IMAGE_SETS[name]
    arrays = [_read(chosen, folder, file) for file in chosen.files]
    pixels, labels = np.concatenate(arrays[0::2]), np.concatenate(arrays[1::2])
    # One channel: [images, 1, height, width].
    return torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels).long()


def _read(
    chosen: ImageSet, folder: Path, name: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    path = _file(folder, name) or folder / name
    content = unpacked(path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != chosen.files[name]:
        parse_idx(content, path)  # what is damaged is told more exactly
        of = next((one.name for one in IMAGE_SETS.values() if digest in one.files.values()), None)
        told = f"the file belongs to {of}" if of else f"its SHA-256 is {digest}"
        raise DataError(
            f"{path}: is not the file of {chosen.name}: {told}, and not {chosen.files[name]}; "
            f"get the file from {chosen.source or 'the package grokbench again'}"
        )
    return parse_idx(content, path)


IMAGE_SETS: Mapping[str, ImageSet] = {
    one.name: one
    for one in (
        ImageSet(
            "digits",
            Images(8, 8),
            images=1797,
            test=0,
            brightest=16,
            files={
                "digits-images-idx3-ubyte": "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
                "digits-labels-idx1-ubyte": "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
            },
        ),
        ImageSet(
            "mnist_5k",
            Images(28, 28),
            images=5000,
            test=0,
            brightest=255,
            files={
                "mnist_5k-images-idx3-ubyte": "a4a9358b9ba319305e7cd69b2c7410e463401e152d7e9e60189b94a3f159d012",
                "mnist_5k-labels-idx1-ubyte": "704256e87519240fd1d7ecdf681fe209864691e252c6642aeadc21f3c4d44b41",
            },
        ),
        ImageSet(
            "mnist",
            Images(28, 28),
            images=60_000,
            test=10_000,
            brightest=255,
            files={
                "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            },
            folders=("mnist", "MNIST/raw"),
            source="https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        ImageSet(
            "fashion_mnist",
            Images(28, 28),
            images=60_000,
            test=10_000,
            brightest=255,
            files={
                "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            },
            folders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw"),
            source="https://github.com/zalandoresearch/fashion-mnist, or Debian's package dataset-fashion-mnist",
        ),
    )
}

"""Tasks that ask for the class of an image."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from grokbench.definition import Options
from grokbench.errors import DataError
from grokbench.randomness import Streams
from grokbench.tasks.base import Examples, Images, Task
from grokbench.tasks.image_sets import IMAGE_SETS, ImageSet
from grokbench.tasks.judging import CrossEntropy, Judgement, SquaredError


class ImageOptions(Options):
    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    """`squared_error`: the mean squared error against labels that are one for the right class and zero
    for the others, as in Liu et al. 2022 (Omnigrok, arXiv:2210.01117)."""
    validation_size: Annotated[int, Field(ge=1)] | None = None
    """The number of images that validate, drawn by the seed. By default all that the data size leaves,
    or the whole official test set where there is one. Every evaluation looks at all of them."""


@dataclass(frozen=True)
class ImageContents:
    """What a set of labelled images contains.

    Attributes:
        inputs: the size of each image.
        classes: the number of classes.
        images: the number of images from which training examples are drawn.
        test: the number of images that never train, which come after the others; 0 if images that do
            not train validate.
        brightest: the largest value of a pixel that is a whole number; it becomes 1.
    """

    inputs: Images
    classes: int
    images: int
    test: int = 0
    brightest: int = 255


class ImageTask(Task):
    """The class of an image. A subclass gives `contents` and `load`.

    The data size is the number of images that train. They are drawn by the seed; a larger data size
    only adds images.
    """

    Options: ClassVar[type[Options]] = ImageOptions

    @property
    @abstractmethod
    def contents(self) -> ImageContents:
        """What the set contains; known without the images."""

    @abstractmethod
    def load(self) -> tuple[Tensor, Tensor]:
        """All images and their classes.

        Returns:
            Pixels [images + test, channels, height, width], floating point or uint8, and classes
            [images + test], whole numbers from 0. Neither is written into.
        """

    @property
    def inputs(self) -> Images:
        return self.contents.inputs

    @property
    def judgement(self) -> Judgement:
        if self.options.loss == "cross_entropy":
            return CrossEntropy(self.contents.classes)
        return SquaredError(self.contents.classes)

    def check(self, data_size: int) -> str | None:
        contents, asked = self.contents, self.options.validation_size
        if not 1 <= data_size <= contents.images:
            return (
                f"there are {contents.images} images to train on; "
                f"write 1 to {contents.images}, not {data_size}"
            )
        validating = contents.test or contents.images - data_size
        if asked is not None and asked > validating:
            left = "are in the test set" if contents.test else "are left to validate"
            return (
                f"validation_size is {asked}, and with a data size of {data_size} only {validating} "
                f"images {left}; write less"
            )
        return None

    def examples(self, data_size: int, streams: Streams) -> Examples:
        contents, asked = self.contents, self.options.validation_size
        pixels, labels = self.load()
        wanted = (contents.images + contents.test, *contents.inputs.shape)
        if pixels.shape != wanted or labels.shape != wanted[:1]:
            raise ValueError(
                f"{self.name}: load() gives images {list(pixels.shape)} and classes "
                f"{list(labels.shape)}; write {list(wanted)} and {list(wanted[:1])}, as `contents` says"
            )
        order = torch.randperm(contents.images, generator=streams("split"))
        if contents.test:
            drawn = torch.randperm(contents.test, generator=streams("validation"))
            others = contents.images + drawn[:asked]
        else:
            # From the end of the order: a validation set of a fixed size is the same at every data size.
            others = order[data_size:].flip(0)[:asked]
        rows = torch.cat([order[:data_size], others])
        train = torch.arange(len(rows)) < data_size
        return Examples(
            inputs=self._inputs(pixels[rows]),
            labels=self._labels(labels[rows].long()),
            train=train,
            validation=~train,
            part=torch.zeros(len(rows), dtype=torch.int64),
            mirror_free=~train,
        )

    def _inputs(self, pixels: Tensor) -> Tensor:
        return pixels if pixels.is_floating_point() else pixels.float() / self.contents.brightest

    def _labels(self, classes: Tensor) -> Tensor:
        if self.options.loss == "cross_entropy":
            return classes
        return functional.one_hot(classes, self.contents.classes).float()


class ImageClassificationOptions(ImageOptions):
    dataset: Literal["digits", "mnist_5k", "mnist", "fashion_mnist"] = "digits"
    """`digits` (8×8, 1797 images) and `mnist_5k` (28×28, 5000 images) are inside the package. `mnist` and
    `fashion_mnist` (28×28, 60 000 images, 10 000 more to validate) are read from the folder that the
    environment variable GROKBENCH_DATA names."""


class ImageClassification(ImageTask):
    """The class of a real image: handwritten digits, MNIST, Fashion-MNIST.

    Omnigrok (Liu et al. 2022, arXiv:2210.01117) trains on 1000 images of MNIST. Pixels are numbers from
    0 to 1.
    """

    name = "image_classification"
    Options = ImageClassificationOptions
    tested_with: ClassVar[list[dict[str, Any]]] = [
        {},
        {"loss": "squared_error", "validation_size": 300},
    ]

    @property
    def set(self) -> ImageSet:
        """Where the images come from."""
        return IMAGE_SETS[self.options.dataset]

    @property
    def contents(self) -> ImageContents:
        chosen = self.set
        return ImageContents(
            chosen.inputs, chosen.classes, chosen.images, chosen.test, chosen.brightest
        )

    def missing(self) -> str | None:
        try:
            self.set.load()
        except DataError as error:
            return str(error)
        return None

    def load(self) -> tuple[Tensor, Tensor]:
        return self.set.load()

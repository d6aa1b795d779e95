"""The multilayer perceptron and the convolutional network compute what their names say."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from grokbench import ModelSize, Streams
from grokbench.architectures import CNN, MLP
from grokbench.architectures.demand import demand_of
from grokbench.tasks import ImageClassification, ModularAddition

DIGITS = ImageClassification()
MNIST = ImageClassification.from_options({"dataset": "mnist_5k"})


def parameters(model: torch.nn.Module) -> int:
    return sum(one.numel() for one in model.parameters())


def test_the_perceptron_of_omnigrok_has_its_parameters() -> None:
    """784-200-200-10."""
    model = MLP().build(ModelSize(200, 2), MNIST)
    assert 784 * 200 + 200 + 200 * 200 + 200 + 200 * 10 + 10 == parameters(model)
    without = MLP.from_options({"bias": False}).build(ModelSize(200, 2), MNIST)
    assert 784 * 200 + 200 * 200 + 200 * 10 == parameters(without)


def test_a_perceptron_computes_matrix_products_and_activations() -> None:
    model = MLP.from_options({"activation": "tanh"}).build(ModelSize(5, 2), DIGITS)
    inputs = DIGITS.examples(20, Streams(0)).inputs
    first, second, last = ((layer.weight, layer.bias) for layer in model.layers)
    stream = inputs.reshape(len(inputs), 64)
    for weight, bias in (first, second):
        stream = torch.tanh(stream @ weight.T + bias)
    torch.testing.assert_close(model(inputs), stream @ last[0].T + last[1])


def test_a_perceptron_reads_tokens_as_one_hot_vectors() -> None:
    """226-5-113, as the networks of Prieto et al. 2025 read pairs of numbers."""
    task = ModularAddition.from_options({"modulus": 3})
    model = MLP().build(ModelSize(5), task)
    inputs = torch.tensor([[2, 0, 3], [1, 1, 3]])
    hot = torch.tensor(
        [[0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1.0], [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1.0]]
    )
    expected = model.layers[1](model.layers[0](hot).relu())
    torch.testing.assert_close(model(inputs), expected)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_convolutional_network_convolves_and_pools(pooling: str) -> None:
    model = CNN.from_options({"pooling": pooling, "kernel_size": 5}).build(ModelSize(3, 4), DIGITS)
    images = DIGITS.examples(20, Streams(0)).inputs
    pool = functional.max_pool2d if pooling == "max" else functional.avg_pool2d
    stream = images
    convolutions = [one for one in model if isinstance(one, torch.nn.Conv2d)]
    # 8×8, 4×4, 2×2, and then one pixel, which is not pooled again.
    for convolution, by in zip(convolutions, (2, 2, 2, 1), strict=True):
        convolved = functional.conv2d(stream, convolution.weight, convolution.bias, padding=2)
        stream = pool(convolved.relu(), by)
    assert (20 + 1777, 3, 1, 1) == stream.shape
    torch.testing.assert_close(model(images), model[-1](stream.flatten(1)))


def test_a_convolutional_network_refuses_what_is_no_image() -> None:
    assert CNN().refuses(DIGITS, ModelSize(4)) is None
    answer = CNN().refuses(ModularAddition(), ModelSize(4))
    assert "it reads images and modular_addition gives Tokens" in str(answer)
    assert "such as 'mlp'" in str(answer)


def test_the_weights_of_a_convolution_multiply_once_for_each_pixel() -> None:
    model = CNN().build(ModelSize(8, 2), DIGITS)
    demand = demand_of(model, torch.zeros(3, 1, 8, 8))
    first, second = (1 * 9 * 8) * 64, (8 * 9 * 8) * 16
    biases = 8 + 8 + 10
    assert first + second + 8 * 2 * 2 * 10 + biases == demand.multiplications


def test_what_is_kept_for_the_gradient_are_images_and_units() -> None:
    """The input, and the units of both hidden layers."""
    model = MLP().build(ModelSize(200, 2), MNIST)
    demand = demand_of(model, torch.zeros(3, 1, 28, 28))
    assert (784 + 200 + 200, parameters(model)) == (demand.kept, demand.multiplications)

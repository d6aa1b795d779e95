"""A single-file plugin: modules as the field writes them, for one task on three tokens.

Each function makes one module. Its name is the option `module` of the architecture `zoo`.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections import deque

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

import grokbench
from grokbench import Architecture, Measure, ModelSize, Options, Task

WIDTH, LENGTH = 8, 3
ZOO = {}
"""The functions by name; each takes the vocabulary and the number of outputs."""


def zoo(make):  # type: ignore[no-untyped-def]
    ZOO[make.__name__] = make
    return make


class Body(nn.Module):
    """Embeds tokens, calls `body` on [examples, length, width], and reads the last position."""

    def __init__(self, vocabulary: int, outputs: int, body: nn.Module, **embedding: object) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, WIDTH, **embedding)
        self.body = body
        self.read = nn.Linear(WIDTH, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        stream = self.body(self.embed(tokens))
        return self.read((stream[0] if isinstance(stream, tuple) else stream).mean(1).tanh())


class Of(nn.Module):
    """A function of the embedded tokens, and the modules or tensors that it uses."""

    def __init__(self, function, **parts):  # type: ignore[no-untyped-def]
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if type(part) is Tensor:
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, stream: Tensor) -> Tensor:
        return self.function(self, stream)


def linear(*sizes: int) -> nn.Linear:
    return nn.Linear(*(sizes or (WIDTH, WIDTH)))


@zoo
def tied_embeddings(vocabulary, outputs):
    model = Body(vocabulary, outputs, linear())
    model.read = nn.Linear(WIDTH, vocabulary, bias=False)
    model.read.weight = model.embed.weight
    return nn.Sequential(model, Of(lambda self, logits: logits[:, :outputs]))


@zoo
def rotary_with_a_complex_buffer(vocabulary, outputs):
    angles = torch.outer(torch.arange(LENGTH), 10.0 ** -torch.arange(WIDTH // 2))

    def rotated(self, stream):
        pairs = torch.view_as_complex(self.query(stream).unflatten(-1, (-1, 2)).contiguous())
        turned = torch.view_as_real(pairs * self.turns).flatten(-2)
        return torch.softmax(turned @ turned.mT, -1) @ stream

    turns = torch.polar(torch.ones_like(angles), angles)
    return Body(vocabulary, outputs, Of(rotated, query=linear(), turns=turns))


@zoo
def multihead_attention(vocabulary, outputs):
    attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
    return Body(vocabulary, outputs, Of(lambda self, x: self.a(x, x, x)[0], a=attention))


@zoo
def encoder_layer(vocabulary, outputs):
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 16, dropout=0.0, batch_first=True)
    return Body(vocabulary, outputs, layer)


@zoo
def encoder_layer_with_dropout(vocabulary, outputs):
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 16, dropout=0.2, batch_first=True)
    return Body(vocabulary, outputs, layer)


@zoo
def old_weight_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, nn.utils.weight_norm(linear()))


@zoo
def weight_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, parametrizations.weight_norm(linear()))


@zoo
def old_spectral_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, nn.utils.spectral_norm(linear()))


@zoo
def spectral_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, parametrizations.spectral_norm(linear()))


@zoo
def orthogonal(vocabulary, outputs):
    return Body(vocabulary, outputs, parametrizations.orthogonal(linear()))


@zoo
def pruned(vocabulary, outputs):
    return Body(vocabulary, outputs, prune.random_unstructured(linear(), "weight", 0.5))


@zoo
def batch_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, Of(lambda self, x: self.n(x.mT).mT, n=nn.BatchNorm1d(WIDTH)))


@zoo
def group_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, Of(lambda self, x: self.n(x.mT).mT, n=nn.GroupNorm(2, WIDTH)))


@zoo
def rms_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, nn.Sequential(nn.RMSNorm(WIDTH), linear()))


@zoo
def unused_layer_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, Of(lambda self, x: x.tanh(), norm=nn.LayerNorm(WIDTH)))


@zoo
def unused_layers(vocabulary, outputs):
    return Body(vocabulary, outputs, Of(lambda self, x: self.b(x), a=linear(), b=linear()))


@zoo
def frozen_causal_mask(vocabulary, outputs):
    mask = nn.Parameter(torch.full((LENGTH, LENGTH), -torch.inf).triu(1), requires_grad=False)

    def masked(self, stream):
        return torch.softmax(self.q(stream) @ stream.mT + self.mask, -1) @ stream

    return Body(vocabulary, outputs, Of(masked, q=linear(), mask=mask))


@zoo
def frozen_bool_mask_and_integers(vocabulary, outputs):
    keep = nn.Parameter(torch.arange(WIDTH) % 3 > 0, requires_grad=False)
    order = nn.Parameter(torch.arange(LENGTH).flip(0), requires_grad=False)
    body = Of(
        lambda self, x: self.a(x[:, self.order] * self.keep), a=linear(), keep=keep, order=order
    )
    return Body(vocabulary, outputs, body)


@zoo
def frozen_embedding(vocabulary, outputs):
    model = Body(vocabulary, outputs, linear())
    model.embed.weight.requires_grad_(False)
    return model


@zoo
def transposed_parameter(vocabulary, outputs):
    weight = nn.Parameter((torch.randn(WIDTH, 2 * WIDTH) / 4).T)
    return Body(vocabulary, outputs, Of(lambda self, x: x @ (self.w.mT @ self.w), w=weight))


@zoo
def channels_last_convolution(vocabulary, outputs):
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
    net = net.to(memory_format=torch.channels_last)
    return Body(vocabulary, outputs, Of(lambda self, x: self.net(x[:, None])[:, 0], net=net))


@zoo
def gru(vocabulary, outputs):
    return Body(vocabulary, outputs, nn.GRU(WIDTH, WIDTH, batch_first=True))


@zoo
def lstm(vocabulary, outputs):
    return Body(vocabulary, outputs, nn.LSTM(WIDTH, WIDTH, batch_first=True))


@zoo
def scripted(vocabulary, outputs):
    return Body(vocabulary, outputs, torch.jit.script(nn.Sequential(linear(), nn.ReLU(), linear())))


@zoo
def compiled(vocabulary, outputs):
    return Body(vocabulary, outputs, torch.compile(nn.Sequential(linear(), nn.ReLU(), linear())))


@zoo
def checkpointed(vocabulary, outputs):
    net = nn.Sequential(linear(), nn.Dropout(0.2), nn.Tanh())
    body = Of(lambda self, x: checkpoint(self.net, x, use_reentrant=False), net=net)
    return Body(vocabulary, outputs, body)


@zoo
def checkpointed_reentrantly(vocabulary, outputs):
    body = Of(lambda self, x: checkpoint(self.net, x, use_reentrant=True), net=linear())
    return Body(vocabulary, outputs, body)


@zoo
def dropout(vocabulary, outputs):
    return Body(vocabulary, outputs, nn.Sequential(nn.Dropout(0.3), linear()))


@zoo
def embedding_with_padding(vocabulary, outputs):
    return Body(vocabulary, outputs, linear(), padding_idx=2)


@zoo
def embedding_with_largest_norm(vocabulary, outputs):
    return Body(vocabulary, outputs, linear(), max_norm=1.0)


@zoo
def embedding_bag(vocabulary, outputs):
    return nn.Sequential(nn.EmbeddingBag(vocabulary, WIDTH), nn.Tanh(), linear(WIDTH, outputs))


@zoo
def parameter_list_and_dict(vocabulary, outputs):
    several = nn.ParameterList([torch.randn(WIDTH, WIDTH) / 3 for _ in range(2)])
    named = nn.ParameterDict({"gain": torch.ones(WIDTH), "bias": torch.zeros(WIDTH)})

    def body(self, stream):
        for weight in self.several:
            stream = (stream @ weight).relu()
        return stream * self.named["gain"] + self.named["bias"]

    return Body(vocabulary, outputs, Of(body, several=several, named=named))


@zoo
def shared_module(vocabulary, outputs):
    layer = linear()
    return Body(vocabulary, outputs, nn.Sequential(layer, nn.ReLU(), layer))


@zoo
def einsum_attention(vocabulary, outputs):
    weights = {name: nn.Parameter(torch.randn(2, WIDTH, 4) / 3) for name in ("q", "k", "v")}

    def body(self, stream):
        q, k, v = (torch.einsum("nld,hde->nhle", stream, w) for w in (self.q, self.k, self.v))
        mixed = torch.einsum("nhlm,nhme->nlhe", (q @ k.mT).softmax(-1), v)
        return mixed.flatten(-2)

    return Body(vocabulary, outputs, Of(body, **weights))


class Straight(torch.autograd.Function):
    """Rounds, and passes the gradient straight through."""

    @staticmethod
    def forward(context, values):
        return (4 * values).round() / 4

    @staticmethod
    def backward(context, gradient):
        return gradient


@zoo
def custom_function(vocabulary, outputs):
    return Body(vocabulary, outputs, Of(lambda self, x: Straight.apply(self.a(x)), a=linear()))


@zoo
def in_place_operations(vocabulary, outputs):
    def body(self, stream):
        out = torch.zeros_like(stream)
        out[:, 1:] = self.a(stream)[:, :-1]
        return out.add_(1.0).mul_(0.5)

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def buffer_updated_in_forward(vocabulary, outputs):
    def body(self, stream):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * stream.detach().mean((0, 1))
            self.steps += 1
        return self.a(stream - self.mean) * (1 + self.steps / 100)

    return Body(
        vocabulary, outputs, Of(body, a=linear(), mean=torch.zeros(WIDTH), steps=torch.zeros(()))
    )


@zoo
def averaged_weights(vocabulary, outputs):
    """A frozen copy of a layer follows the layer, as a momentum encoder does."""
    slow = linear().requires_grad_(False)

    def body(self, stream):
        if self.training:
            with torch.no_grad():
                self.slow.weight.lerp_(self.a.weight, 0.1)
        return self.a(stream) - 0.5 * self.slow(stream)

    return Body(vocabulary, outputs, Of(body, a=linear(), slow=slow))


@zoo
def bilinear_and_prelu(vocabulary, outputs):
    body = Of(
        lambda self, x: self.p(self.b(x, x)), b=nn.Bilinear(WIDTH, WIDTH, WIDTH), p=nn.PReLU()
    )
    return Body(vocabulary, outputs, body)


@zoo
def double_backward(vocabulary, outputs):
    def body(self, stream):
        with torch.enable_grad():
            points = stream if stream.requires_grad else stream.requires_grad_()
            energy = self.a(points).square().sum()
            (slope,) = torch.autograd.grad(energy, points, create_graph=True)
        return slope

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def forward_hook_over_another_parameter(vocabulary, outputs):
    model = Body(vocabulary, outputs, linear())
    model.gain = nn.Parameter(torch.ones(WIDTH))
    model.body.register_forward_hook(lambda module, given, output: output * model.gain)
    return model


@zoo
def hook_on_a_parameter(vocabulary, outputs):
    model = Body(vocabulary, outputs, linear())
    model.embed.weight.register_hook(lambda gradient: 0.5 * gradient)
    return model


@zoo
def hook_after_the_gradient(vocabulary, outputs):
    def clip(parameter):
        parameter.grad.clamp_(-1e-3, 1e-3)

    model = Body(vocabulary, outputs, linear())
    model.embed.weight.register_post_accumulate_grad_hook(clip)
    return model


@zoo
def backward_hook_of_a_module(vocabulary, outputs):
    model = Body(vocabulary, outputs, linear())
    model.body.register_full_backward_hook(lambda module, given, got: (0.1 * given[0],))
    return model


@zoo
def hook_in_forward(vocabulary, outputs):
    def body(self, stream):
        stream = self.a(stream)
        if stream.requires_grad:
            stream.register_hook(lambda gradient: gradient / (1 + gradient.norm()))
        return stream

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def counter_in_an_attribute(vocabulary, outputs):
    def body(self, stream):
        if self.training:
            self.calls += 1
            self.trace.append(float(self.calls))
        return self.a(stream) * min(1.0, sum(self.trace) / 200)

    return Body(vocabulary, outputs, Of(body, a=linear(), calls=0, trace=[]))


@zoo
def stored_attention(vocabulary, outputs):
    def body(self, stream):
        self.attention = torch.softmax(self.a(stream) @ stream.mT, -1)
        return self.attention @ stream

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def shared_memory(vocabulary, outputs):
    """The attribute and the buffer follow the weights as the optimizer changes these in place."""
    model = Body(
        vocabulary, outputs, Of(lambda self, x: self.a(x) @ self.buffer + self.row, a=linear())
    )
    model.body.register_buffer("buffer", model.body.a.weight.detach())
    model.body.row = model.body.a.bias.detach()
    return model


@zoo
def weights_clipped_in_forward(vocabulary, outputs):
    def body(self, stream):
        self.a.weight.data.clamp_(-0.1, 0.1)
        return self.a(stream)

    return Body(vocabulary, outputs, Of(body, a=linear()))


# What cannot be trained as torch trains it.


@zoo
def sparse_embedding(vocabulary, outputs):
    return Body(vocabulary, outputs, linear(), sparse=True)


@zoo
def lazy_linear(vocabulary, outputs):
    return Body(vocabulary, outputs, nn.LazyLinear(WIDTH))


@zoo
def tuple_outputs(vocabulary, outputs):
    return nn.Sequential(Body(vocabulary, outputs, linear()), Of(lambda self, x: (x, x)))


@zoo
def detached_outputs(vocabulary, outputs):
    return nn.Sequential(Body(vocabulary, outputs, linear()), Of(lambda self, x: x.detach()))


@zoo
def integer_outputs(vocabulary, outputs):
    return nn.Sequential(Body(vocabulary, outputs, linear()), Of(lambda self, x: x.long()))


@zoo
def complex_parameter(vocabulary, outputs):
    phase = nn.Parameter(torch.ones(WIDTH, dtype=torch.complex64))
    return Body(vocabulary, outputs, Of(lambda self, x: (x * self.phase).real, phase=phase))


@zoo
def nothing_to_train(vocabulary, outputs):
    return Body(vocabulary, outputs, linear()).requires_grad_(False)


@zoo
def parameters_that_share_memory(vocabulary, outputs):
    a = linear()
    return Body(
        vocabulary,
        outputs,
        Of(lambda self, x: self.a(x) @ self.b, a=a, b=nn.Parameter(a.weight.data)),
    )


@zoo
def expanded_parameter(vocabulary, outputs):
    gain = nn.Parameter(torch.ones(1).expand(WIDTH))
    return Body(vocabulary, outputs, Of(lambda self, x: x * self.gain, gain=gain))


@zoo
def layers_dropped_at_random(vocabulary, outputs):
    body = Of(lambda self, x: self.a(x) if torch.rand(()) < 0.5 else x, a=linear())
    return Body(vocabulary, outputs, body)


CALLS = [0]


@zoo
def counter_outside(vocabulary, outputs):
    def body(self, stream):
        CALLS[0] += 1
        return self.a(stream) * CALLS[0]

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def generator_of_its_own(vocabulary, outputs):
    source = random.Random(0)
    return Body(
        vocabulary,
        outputs,
        Of(lambda self, x: self.a(x) * self.source.random(), a=linear(), source=source),
    )


@zoo
def queue_in_an_attribute(vocabulary, outputs):
    def body(self, stream):
        self.queue.append(1.0)
        return self.a(stream)

    return Body(vocabulary, outputs, Of(body, a=linear(), queue=deque(maxlen=50)))


def later(self, stream, calls):
    """Shows a count of calls only after more steps than a test has."""
    return self.a(stream) * (1.0 if calls < 1000 else -3.0)


class Late(nn.Module):
    """Keeps its state in the class."""

    calls, trace, ticks = 0, [], itertools.count()

    def __init__(self, kind):
        super().__init__()
        self.a, self.kind = linear(), kind

    def forward(self, stream):
        if self.training:
            getattr(self, self.kind)()
        return later(self, stream, max(Late.calls, len(Late.trace)))

    def counts(self):
        Late.calls += 1

    def appends(self):
        self.trace.append(1.0)

    def iterates(self):
        next(self.ticks)


@zoo
def late_counter_in_a_class(vocabulary, outputs):
    return Body(vocabulary, outputs, Late("counts"))


@zoo
def late_list_in_a_class(vocabulary, outputs):
    return Body(vocabulary, outputs, Late("appends"))


@zoo
def late_iterator_in_a_class(vocabulary, outputs):
    return Body(vocabulary, outputs, Late("iterates"))


late_calls, late_mean = 0, torch.zeros(WIDTH)


def count_late():
    global late_calls  # noqa: PLW0603
    late_calls += 1


@zoo
def late_counter_in_a_global(vocabulary, outputs):
    def body(self, stream):
        if self.training:
            count_late()
        return later(self, stream, late_calls)

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def late_tensor_in_a_global(vocabulary, outputs):
    def body(self, stream):
        late_mean.mul_(0.9).add_(stream.detach().mean((0, 1)))
        return later(self, stream, 0)

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def late_switch_in_a_closure(vocabulary, outputs):
    on = False

    def body(self, stream):
        nonlocal on
        on = not on
        return later(self, stream, 0 * on)

    return Body(vocabulary, outputs, Of(body, a=linear()))


@zoo
def late_counter_in_a_hook(vocabulary, outputs):
    def count(module, given, output, calls=[0]):  # noqa: B006
        calls[0] += 1

    model = Body(vocabulary, outputs, linear())
    model.body.register_forward_hook(count)
    return model


class Counter:
    calls = 0


@zoo
def late_counter_in_an_object(vocabulary, outputs):
    def body(self, stream):
        self.counter.calls += 1
        return later(self, stream, self.counter.calls)

    return Body(vocabulary, outputs, Of(body, a=linear(), counter=Counter()))


@zoo
def late_counter_of_evaluations(vocabulary, outputs):
    def body(self, stream):
        body.calls += not self.training
        return later(self, stream, body.calls)

    body.calls = 0
    return Body(vocabulary, outputs, Of(body, a=linear()))


# Outside the module as well, and yet the same after every call: these are trained.

POSITIONS = {}


@functools.cache
def positions(length):
    return torch.linspace(0, 1, length)[:, None]


class Cached(nn.Module):
    """Fills caches at the first call, and keeps what it computed last in the class."""

    ready, last = False, None

    def __init__(self):
        super().__init__()
        self.a, self.drop = linear(), nn.Dropout(0.2)

    def forward(self, stream):
        length = stream.shape[1]
        Cached.ready = True
        if length not in POSITIONS:
            POSITIONS[length] = torch.linspace(1, 0, length)[:, None]
        Cached.last = self.drop(self.a(stream))
        return Cached.last + positions(length) * POSITIONS[length]


@zoo
def caches_outside(vocabulary, outputs):
    return Body(vocabulary, outputs, Cached())


class ZooOptions(Options):
    module: str


class Zoo(Architecture):
    """One of the modules above, by name."""

    name = "zoo"
    Options = ZooOptions

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return ZOO[self.options.module](task.inputs.vocabulary, task.judgement.outputs)


class Faithful(Measure):
    """How far the outputs of the snapshot's module are from the outputs of the run."""

    name = "faithful"
    quantities = {"apart": "largest difference"}  # noqa: RUF012

    def measure(self, snapshot):
        outputs = snapshot.module()(*snapshot.arguments)
        return {"apart": (outputs - snapshot.outputs).abs().max()}


@grokbench.hookimpl
def register_measures(register) -> None:  # type: ignore[no-untyped-def]
    register(Faithful)


@grokbench.hookimpl
def register_architectures(register) -> None:  # type: ignore[no-untyped-def]
    register(Zoo)

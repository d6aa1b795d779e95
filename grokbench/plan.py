"""Which runs of a suite are missing, how runs form cohorts, and how much work a cohort is."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from grokbench.errors import GrokbenchError, PluginFailure, UnknownNameError, nearest
from grokbench.per_device import PerDevice
from grokbench.plugins import Plugins, guard
from grokbench.record import Record, Run, Status, canonical_json
from grokbench.suite.model import Sequential, Suite

STACKED_WORK = PerDevice(cpu=1e8, cuda=4e10)
"""About how many floating-point operations one step of a cohort should have. Fewer, and the time
goes into starting operations. More, and on a CPU the step leaves the cache (measured); on a GPU
(estimated, about a millisecond a step) more data sizes are padded to the largest."""

LARGEST_COHORT = PerDevice(cpu=10, cuda=1024)
"""The most runs in one cohort."""

COHORT_BYTES = PerDevice(cpu=2 * 2**30, cuda=48 * 2**30)
"""The estimated memory that one cohort may need, in bytes. A cohort of one run may need more."""

OTHER_PARAMETERS = 9000
"""The cost of an example that does not grow with the model, counted in parameters. Measured with
`suites/quick-fixed.toml` on two cores: with 500 examples a step took 0.45 ms at 500 parameters and 3.2 ms
at 54 000."""

BATCHES_READY = 32
"""The batches of this many steps lie ready on the device (`training.batches.WINDOW`)."""

PER_RUN = ("learning_rate", "weight_decay", "initial_scale")
"""Recipe fields in which runs of one cohort may differ."""


@dataclass(frozen=True)
class Cohort:
    """Runs that share shapes and are trained at once; laid out from the whole suite.

    Attributes:
        id: a digest of the ids of all its runs.
        runs: ordered by data size, then by seed.
        label: for people.
        work: how long training takes, up to a factor: see `work_of`.
        memory: about how many bytes training needs: see `bytes_of`.
    """

    id: str
    runs: tuple[Run, ...]
    label: str
    work: float
    memory: int = 0

    def only(self, wanted: Iterable[str]) -> Cohort:
        """The same cohort with only the runs whose ids are `wanted`."""
        keep = set(wanted)
        runs = tuple(run for run in self.runs if run.id in keep)
        share = len(runs) / len(self.runs)
        return replace(self, runs=runs, work=self.work * share, memory=int(self.memory * share))


@dataclass(frozen=True)
class ExperimentPlan:
    """How many runs an experiment has, and how many have ended in each way.

    Attributes:
        missing: runs that have not ended.
        shared: runs that an earlier experiment of the suite has too; they are trained once.
    """

    name: str
    runs: int
    done: int
    diverged: int
    failed: int
    missing: int
    shared: int


@dataclass(frozen=True)
class Plan:
    """How much of a suite is trained, and what is left to train.

    Attributes:
        cohorts: all cohorts of the suite in the order in which they are trained, the most work
            first.
        missing: the cohorts without the runs that have ended; a cohort without runs is left out.
        stale: the number of records that belong to no run of the suite: records of an older version
            of the suite or of a plugin.
    """

    experiments: tuple[ExperimentPlan, ...]
    cohorts: tuple[Cohort, ...]
    missing: tuple[Cohort, ...]
    stale: int

    def wanted(
        self,
        suite: Suite,
        *,
        only: Sequence[str] = (),
        seeds: int | None = None,
        shard: tuple[int, int] | None = None,
        needed: Set[str] | None = None,
    ) -> tuple[Cohort, ...]:
        """The missing cohorts of some experiments, of the first seeds, or of a share of all.

        Args:
            needed: ids of runs; cohorts without any of them are left out. All cohorts when None.
            only: names of experiments; all experiments when empty.
            seeds: the number of seeds of each experiment; all when None.
            shard: (i, n) takes every n-th of all the suite's cohorts from the i-th on, counted
                from 1, so that n machines share the work.

        Raises:
            UnknownNameError: `only` names an experiment that the suite does not have.
            GrokbenchError: there is no such shard.
        """
        for name in only:
            if name not in suite.experiments:
                hint = nearest(name, suite.experiments)
                raise UnknownNameError(f"suite {suite.name!r} has no experiment {name!r}; {hint}")
        if shard and not 1 <= shard[0] <= shard[1]:
            raise GrokbenchError(f"shard {shard[0]}/{shard[1]}: write 1/{shard[1]} and so on")
        runs = {
            run.id
            for name, experiment in suite.experiments.items()
            if not only or name in only
            for index, run in experiment.grid()
            if seeds is None or index[-1] < seeds
        }
        first, step = (shard[0] - 1, shard[1]) if shard else (0, 1)
        mine = {cohort.id for cohort in self.cohorts[first::step]}
        cut = [
            cohort.only(runs)
            for cohort in self.missing
            if cohort.id in mine
            and (needed is None or any(run.id in needed for run in cohort.runs))
        ]
        return tuple(cohort for cohort in cut if cohort.runs)


def make_plan(
    suite: Suite,
    plugins: Plugins,
    records: Mapping[str, Record],
    *,
    device: str = "cpu",
    retry_failed: bool = False,
) -> Plan:
    """Lay out a suite's cohorts, and count which runs have a record.

    The layout depends on the suite and the type of device alone, never on which runs are missing.
    An interrupted suite must end with the same bits, and the bits of a run depend on its cohort.

    Args:
        records: by the id of the run.
        retry_failed: whether runs that failed are missing.
    """
    runs = suite.runs()
    ended = {
        name
        for name, record in records.items()
        if name in runs and not (retry_failed and record.status is Status.FAILED)
    }
    cohorts = lay_out(runs.values(), plugins, device, suite.sequential)
    left = [cohort.only(runs.keys() - ended) for cohort in cohorts]
    return Plan(
        tuple(experiment_plans(suite, records, ended)),
        cohorts,
        tuple(cohort for cohort in left if cohort.runs),
        stale=len(records.keys() - runs.keys()),
    )


def experiment_plans(
    suite: Suite, records: Mapping[str, Record], ended: set[str]
) -> Iterable[ExperimentPlan]:
    earlier: set[str] = set()
    for name, experiment in suite.experiments.items():
        names = {run.id for _, run in experiment.grid()}
        count = {
            status: sum(1 for run in names & ended if records[run].status is status)
            for status in Status
        }
        yield ExperimentPlan(
            name,
            runs=len(names),
            done=count[Status.DONE],
            diverged=count[Status.DIVERGED],
            failed=count[Status.FAILED],
            missing=len(names - ended),
            shared=len(names & earlier),
        )
        earlier |= names


def lay_out(
    runs: Iterable[Run], plugins: Plugins, device: str, sequential: Sequential | None = None
) -> tuple[Cohort, ...]:
    """Group runs of one shape into cohorts, the most work first, so that workers end together.

    In a sequential suite, the runs of a cohort have one data size, and their seeds come with one
    look. So each cohort is trained whole or not at all, whichever claims are open, and its runs have
    the same bits.
    """
    kind = device.split(":", maxsplit=1)[0]
    groups: dict[Any, list[Run]] = defaultdict(list)
    for run in runs:
        look = () if sequential is None else (run.data_size, sequential.look_of(run.seed))
        groups[shape_of(run), look].append(run)
    cohorts = []
    for members in groups.values():
        members.sort(key=lambda run: (run.data_size, run.seed, run.id))
        shapes = Shapes.of(members[-1], plugins)
        # All members are padded to the largest data size. For each parameter and example there are
        # two operations in the forward pass and four in the backward pass.
        step = 6.0 * shapes.multiplications * max(run.step_examples for run in members)
        size = round(STACKED_WORK[kind] / max(1.0, step))
        room = COHORT_BYTES[kind] // bytes_of(members[-1], shapes)
        size = max(1, min(size, LARGEST_COHORT[kind], room, len(members)))
        # Even shares: 20 runs of which 16 fit into a cohort make two cohorts of 10, not 16 and 4.
        shares = -(-len(members) // size)
        for i in range(shares):
            share = members[i * len(members) // shares : (i + 1) * len(members) // shares]
            cohorts.append(make_cohort(share, shapes))
    return tuple(sorted(cohorts, key=lambda cohort: (-cohort.work, cohort.id)))


def make_cohort(runs: Sequence[Run], shapes: Shapes) -> Cohort:
    first, last = runs[0], runs[-1]
    # Records and checkpoints of a cohort carry its id: other runs must give another id.
    digest = hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:16]
    data = (
        f"{first.data_size}"
        if first.data_size == last.data_size
        else f"{first.data_size}–{last.data_size}"
    )
    return Cohort(
        digest,
        tuple(runs),
        f"{first.task.name}, {first.architecture.name} {first.size.label}, data {data}",
        sum(work_of(run, shapes) for run in runs),
        len(runs) * bytes_of(last, shapes),
    )


def work_of(run: Run, shapes: Shapes) -> float:
    """How long a run takes, up to a factor: to share work evenly, and to show progress.

    The time of products grows with the multiplications of an example. Embedding, attention and loss cost about as much
    for each example as OTHER_PARAMETERS further parameters.
    """
    examples = float(run.step_examples * run.recipe.steps)
    if run.recipe.batch_size is not None:
        # With small batches, evaluations take much of the time. An evaluation has no backward pass,
        # which is two thirds of a step.
        examples += shapes.examples * run.recipe.evaluations / 3
    return (shapes.multiplications + OTHER_PARAMETERS) * examples


def bytes_of(run: Run, shapes: Shapes) -> int:
    """About how many bytes a run needs while it trains, estimated as for a transformer or measured.

    Where the estimate is too low and memory runs out, training halves the cohort.
    """
    # Numbers of four bytes: seven for a parameter (itself, gradient, two moments, what the
    # optimizer works with), twenty for each hidden unit, token and layer of every training example,
    # and four for each output of every evaluated example. A measured number is there twice, with its
    # gradient. Vectors and images are there twice as well (as the task made them, and stacked), and
    # those that train a third time.
    units = 20 * run.size.hidden_size * run.size.layers * shapes.length
    hidden = (2 * shapes.kept or units) * run.step_examples
    inputs = shapes.numbers * (2 * shapes.examples + run.data_size)
    outputs = 4 * shapes.outputs * shapes.examples
    if run.recipe.batch_size is not None:
        # An evaluation keeps nothing for a gradient, but it takes all examples at once: about a fifth
        # of what a step keeps, layer by layer. A batch is a copy, and batches lie ready (16 bytes an
        # example: `training.batches`).
        passing = (2 * shapes.kept or units) * shapes.examples // (5 * run.size.layers)
        hidden = max(hidden, passing)
        inputs += (shapes.numbers + 4 * BATCHES_READY) * run.step_examples
    return 4 * (7 * shapes.parameters + hidden + inputs + outputs + 1)


def shape_of(run: Run) -> str:
    """A text that is equal for runs that can be stacked."""
    recipe: dict[str, Any] = {
        name: value for name, value in vars(run.recipe).items() if name not in PER_RUN
    }
    recipe["optimizer"] = vars(run.recipe.optimizer)
    return canonical_json(
        [
            *map(vars, (run.task, run.architecture, *run.measures)),
            run.size.hidden_size,
            run.size.layers,
            recipe,
        ]
    )


@dataclass(frozen=True)
class Shapes:
    """The sizes of a run's module and examples; all zero where they cannot be made.

    Attributes:
        parameters: of the module.
        multiplications: by weights, for one example: the parameters, or more where weights are used
            for many pixels.
        length: tokens of an input, or 1 for a vector.
        numbers: of an input that is no token.
        kept: the numbers that the module keeps for the gradient of one image; 0 where the inputs are no
            images.
        outputs: of the module, for one example.
        examples: all examples of the run, which an evaluation looks at.
    """

    parameters: int = 0
    multiplications: int = 0
    length: int = 0
    numbers: int = 0
    kept: int = 0
    outputs: int = 0
    examples: int = 0

    @classmethod
    def of(cls, run: Run, plugins: Plugins) -> Shapes:
        """Make the run's module and examples, and read off their sizes."""
        import torch

        from grokbench.architectures.demand import Demand, demand_of
        from grokbench.randomness import Streams
        from grokbench.tasks.base import Images

        try:
            with guard("the run's module and examples"):
                task = plugins.tasks[run.task.name].from_options(run.task.options)
                architecture = plugins.architectures[run.architecture.name].from_options(
                    run.architecture.options
                )
                examples = task.examples(run.data_size, Streams(run.seed))
                inputs, tokens = examples.inputs, not examples.inputs.is_floating_point()
                with torch.random.fork_rng(devices=[]):
                    model = architecture.build(run.size, task)
                    parameters = sum(parameter.numel() for parameter in model.parameters())
                    demand = Demand(parameters, 0)
                    if isinstance(task.inputs, Images):
                        shown = (inputs[:2], examples.part[:2])
                        demand = demand_of(model, *shown[: 2 if architecture.takes_part else 1])
                return cls(
                    parameters,
                    demand.multiplications,
                    inputs.shape[1] if tokens else 1,
                    0 if tokens else inputs[0].numel(),
                    demand.kept,
                    int(task.judgement.outputs),
                    len(inputs),
                )
        except PluginFailure:  # training records it
            return cls()

"""A suite: experiments and claims, read from a TOML file."""

from grokbench.suite.load import load_suite, parse_suite
from grokbench.suite.model import Claim, Experiment, Rule, Suite

__all__ = ["Claim", "Experiment", "Rule", "Suite", "load_suite", "parse_suite"]

"""Catalogues of models on sale at a date: prices, speeds and abilities, each with its source.

A catalogue is data: `NAME.toml` holds its sources, benchmarks and assumptions, `NAME.*.toml` its
models. Every figure is `measured`, `derived` (its arithmetic is stated) or `assumed` (so is its
argument). A model's scores become item-response abilities in `fit`; abilities without a score are
`estimated` in `missing`, each with its error.
"""

from .data import catalogues, load, sellers
from .fit import Ability, Fit, accuracy_at
from .missing import errors_by_rank, leave_one_out_errors
from .provenance import explain, sources_table
from .records import Assumption, Catalogue, Fact, Model, Rate, Skill

__all__ = [
    "Ability",
    "Assumption",
    "Catalogue",
    "Fact",
    "Fit",
    "Model",
    "Rate",
    "Skill",
    "accuracy_at",
    "catalogues",
    "errors_by_rank",
    "explain",
    "leave_one_out_errors",
    "load",
    "sellers",
    "sources_table",
]

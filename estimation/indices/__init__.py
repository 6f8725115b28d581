"""Composite and structural indices that several studies share.

Belongs here: formulas on a DataFrame that SQL would state worse or twice. Does not belong here:
ratios a dbt model states in one line, and anything that needs a solver (``estimation.efficiency``).
"""

from estimation.indices.capital import deflator, perpetual_inventory
from estimation.indices.composite import (
    coupled_efficiency,
    coupling_coordination,
    entropy_weights,
    min_max,
    weighted_index,
)
from estimation.indices.structure import (
    co_agglomeration,
    location_quotient,
    productivity_weighted_upgrading,
    rationalisation_theil,
    structure_level,
)

#: The name under which the applied literature knows the coupled efficiency.
syeff = coupled_efficiency

__all__ = [
    "co_agglomeration",
    "coupled_efficiency",
    "coupling_coordination",
    "deflator",
    "entropy_weights",
    "location_quotient",
    "min_max",
    "perpetual_inventory",
    "productivity_weighted_upgrading",
    "rationalisation_theil",
    "structure_level",
    "syeff",
    "weighted_index",
]

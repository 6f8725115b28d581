"""Composite and structural indices that several studies share.

Belongs here: formulas on a DataFrame that SQL would state worse or twice. Does not belong here:
ratios a dbt model states in one line, and anything that needs a solver (``estimation.efficiency``).
"""

from estimation.indices.composite import (
    coupled_efficiency,
    coupling_coordination,
    entropy_weights,
    min_max,
    weighted_index,
)

#: The name under which the applied literature knows the coupled efficiency.
syeff = coupled_efficiency

__all__ = [
    "coupled_efficiency",
    "coupling_coordination",
    "entropy_weights",
    "min_max",
    "syeff",
    "weighted_index",
]

"""Data envelopment analysis: radial, slacks-based and super-efficiency models, with bad outputs.

Belongs here: efficiency scores and productivity indices of any panel. Does not belong here:
composite indices built from the scores (``estimation.indices``), and everything about where data
lie. Written here because no maintained library has super-SBM with undesirable outputs; the linear
programmes are solved by HiGHS and by a vectorised simplex whose results carry optimality
certificates.
"""

from estimation.efficiency.data import EfficiencyDataError
from estimation.efficiency.malmquist import global_malmquist_luenberger
from estimation.efficiency.panel import efficiency_panel, super_sbm_panel
from estimation.efficiency.result import EfficiencyResult

__all__ = [
    "EfficiencyDataError",
    "EfficiencyResult",
    "efficiency_panel",
    "global_malmquist_luenberger",
    "super_sbm_panel",
]

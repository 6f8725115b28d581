"""What the data can say about an exclusion restriction.

Belongs here: reduced forms where a valid instrument should or should not act. Does not belong here:
the instrumental-variable regression (``iv``). No check proves an instrument; each can refute it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from estimation.did import twfe


def plausibility(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    instruments: Sequence[str],
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | None = None,
) -> pd.DataFrame:
    """What can be checked of an exclusion restriction, one row per instrument and check.

    ``reduced form``: the outcome on the instruments. ``never treated``: the same among units that
    are never treated, where a valid instrument has no way to act (zero-first-stage test, van
    Kippersluis and Rietveld 2018). ``not yet treated``: among observations before treatment.

    Returns
    -------
    DataFrame
        Columns check, instrument, estimate, std_error, p_value, n_obs, expectation, note. A check
        that cannot be made has missing numbers and says why in ``note``.
    """
    ever = data.groupby(entity)[treatment].transform("max")
    checks = (
        ("reduced form", data, "differs from zero if the treatment works"),
        ("never treated", data[ever == 0], "zero: the instrument has nothing to act through"),
        ("not yet treated", data[data[treatment] == 0], "zero, anticipation aside"),
    )
    rows: list[dict[str, Any]] = []
    for check, part, expectation in checks:
        base = {"check": check, "expectation": expectation}
        try:
            fit = twfe.fit(
                part,
                outcome=outcome,
                treatment=list(instruments),
                controls=controls,
                entity=entity,
                time=time,
                fixed_effects=fixed_effects,
                cluster=cluster or entity,
            )
        except ValueError as error:  # no such rows, or the instrument does not vary among them
            rows += [{**base, "instrument": z, "note": str(error)} for z in instruments]
            continue
        table = fit.tidy().set_index("term")
        rows += [
            {
                **base,
                "instrument": z,
                "estimate": table.loc[z, "estimate"],
                "std_error": table.loc[z, "std_error"],
                "p_value": table.loc[z, "p_value"],
                "n_obs": fit.n_obs,
                "note": "",
            }
            for z in instruments
        ]
    columns = ["check", "instrument", "estimate", "std_error", "p_value", "n_obs"]
    return pd.DataFrame(rows, columns=[*columns, "expectation", "note"])

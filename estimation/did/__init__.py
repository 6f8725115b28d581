"""Difference-in-differences on any panel: regressions, event studies, placebo, staggered adoption.

Belongs here: estimators that take a DataFrame and return a frozen result with ``tidy()``. Does not
belong here: study files, Dagster, databases. Start with ``twfe.fit``.
"""

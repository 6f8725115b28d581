"""Spatial econometrics of city panels: weights, Moran's I, exact maximum likelihood, tests, DiD.

Belongs here: everything that needs a weights matrix. Does not belong here: reading boundaries, and
estimators without neighbours. Start with ``build`` for weights and ``ml.spatial_panel``.
"""

"""Thin adapters between a study's YAML and the estimators; importing this package registers them.

One module per room of ``estimation``. An adapter only translates options and builds the tidy
result; anything that computes belongs to the room itself.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

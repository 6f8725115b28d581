"""Which dbt nodes one of the two dbt steps builds and tests, and how dbt is told to.

Belongs here: from assets to nodes, and from nodes to dbt's arguments. Does not belong here: what is
due (``warehouse_state``), or calling dbt (``assets.warehouse``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator


@dataclass(frozen=True)
class Stage:
    """One of the two dbt steps: its nodes in the order of their dependencies."""

    manifest: Mapping[str, Any]
    keys: dict[str, dg.AssetKey]  # models and seeds
    tests: set[str]
    select: str
    exclude: str

    @classmethod
    def of(
        cls,
        manifest: Mapping[str, Any],
        translator: DagsterDbtTranslator,
        assets: Iterable[dg.AssetKey],
        earlier: set[str],
        *,
        select: str,
        exclude: str = "",
    ) -> Stage:
        """The nodes behind these assets, and the tests that need them and nothing later.

        ``earlier`` are models that the other step has built: a test between the two belongs here.
        """
        wanted, nodes = set(assets), manifest["nodes"]
        parents = {u: set(n.get("depends_on", {}).get("nodes", [])) for u, n in nodes.items()}
        keys = {}
        for unique_id in TopologicalSorter(parents).static_order():
            node = nodes.get(unique_id)
            if node is not None and node["resource_type"] in ("model", "seed"):
                key = translator.get_asset_key(node)
                if key in wanted:
                    keys[unique_id] = key
        known = set(keys) | earlier | set(manifest["sources"])
        tests = {
            u
            for u, node in nodes.items()
            if node["resource_type"] == "test" and parents[u] & set(keys) and parents[u] <= known
        }
        return cls(manifest, keys, tests, select, exclude)

    @property
    def nodes(self) -> set[str]:
        """Models, seeds and tests."""
        return set(self.keys) | self.tests

    def selection(self, nodes: set[str]) -> list[str]:
        """dbt's arguments for these nodes and no others; all of them are said in short.

        Tests are named one by one where dbt would leave them out: those between the two steps, and
        those of a table that is built beside one that is kept.
        """
        if nodes == self.nodes:
            own = set(self.keys)
            between = {t for t in self.tests if not self._models(t) <= own}
            exclude = ["--exclude", self.exclude] if self.exclude else []
            return ["--select", " ".join([self.select, *self._names(between)]), *exclude]
        return ["--indirect-selection", "empty", "--select", " ".join(self._names(nodes))]

    def _models(self, test: str) -> set[str]:
        parents = self.manifest["nodes"][test]["depends_on"]["nodes"]
        return {p for p in parents if p in self.manifest["nodes"]}

    def _names(self, nodes: Iterable[str]) -> list[str]:
        return sorted(self.manifest["nodes"][n]["name"] for n in nodes)

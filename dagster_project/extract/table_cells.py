"""The data rows of one mapped sheet, column by column, as observations and rejects.

Belongs here: years, codes and numbers of whole columns. Does not belong here: choosing sheets and
headers (tables.py), or what a number looks like (text.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dagster_project.extract.boundaries import MUNICIPALITY_CODES
from dagster_project.extract.table_grain import (
    assumed_unit_fails,
    other_subjects,
    without_contradictions,
)
from dagster_project.extract.table_header import Header, filled, label_above, unmapped_label
from dagster_project.extract.table_mapping import SheetMapping, column_key
from dagster_project.extract.table_open import Sheet
from dagster_project.extract.text import Parsed, column_letter, parse_number, printed
from dagster_project.extract.units import unit_key

# 2015, 2015年, and 2015 [YR2015] of the World Bank's DataBank
YEAR = re.compile(r"^\s*((?:19|20)\d{2})(?:\.0+)?\s*(?:年|年度|\[yr\d{4}\])?\s*$", re.IGNORECASE)
# Titles of columns that number or name rows: codes, years, row numbers.
_NO_QUANTITY = re.compile(r"^(?:id|no\.?|unnamed.*|序号|编号|索引|index)$|代码|code|年份|year|_id$")
# Date-like years of CSMAR and EPS exports: 2015-12-31, 2015/12/31
_YEAR_END = re.compile(r"^\s*((?:19|20)\d{2})[-/]12[-/]31(?:\s.*)?$")


class TableCells:
    """The data rows of one sheet, column by column."""

    def __init__(self, path: Path, sheet: Sheet, spec: SheetMapping, header: Header):
        self.path, self.sheet, self.spec, self.header = path, sheet, spec, header
        width = max(len(row) for row in sheet.rows)
        body = [[*row, *[""] * (width - len(row))] for row in sheet.rows[header.row + 1 :]]
        self.columns = list(zip(*body)) if body else [()] * width
        self.n = len(body)
        self.first_row = header.row + 2  # 1-based
        keys = spec.keys
        self.entity = self._text(keys.entity)
        self.code = pd.Series(self._text(keys.entity_code), dtype=object).str.replace(
            r"\.0+$", "", regex=True
        )
        self.province = self._text(keys.province)
        self.item = self._text(keys.item)
        self.label = self._text(keys.indicator)
        if spec.label_above:
            self.label = np.full(self.n, label_above(sheet, header, spec) or "", dtype=object)
        self.row_unit = self._text(keys.unit)
        if spec.section == "national" and not keys.entity:
            # a note past the data fills one cell, a row of data at least two
            cells = [sum(map(filled, row)) for row in zip(*self.columns)]
            self.entity = np.array(["全国" if n > 1 else "" for n in cells], dtype=object)
        self.left_out = self._leave_out()
        self.others = other_subjects(self.columns, sheet.rows[header.row], header, spec)
        self.section = self._sections()
        self.rejects: list[dict] = []
        self.missing = 0

    def _leave_out(self) -> int:
        """Blank the rows that the mapping does not ask for; returns how many had content."""
        only = self.spec.only
        if only is None:
            return 0
        wanted = {column_key(v) for v in only.values}
        out = np.array([column_key(t) not in wanted for t in self._text(only.column)], dtype=bool)
        count = sum(
            1 for i, row in enumerate(zip(*self.columns)) if out[i] and any(map(filled, row))
        )
        self.columns = [
            tuple("" if gone else cell for cell, gone in zip(column, out, strict=True))
            for column in self.columns
        ]
        self.entity[out] = ""
        return count

    def _column(self, names: Sequence[str]) -> tuple[object, ...] | None:
        number = self.header.find(names) if names else None
        return None if number is None else self.columns[number]

    def _text(self, names: Sequence[str]) -> np.ndarray:
        cells = self._column(names)
        if cells is None:
            return np.full(self.n, "", dtype=object)
        return np.array([printed(c).strip() for c in cells], dtype=object)

    def _sections(self) -> np.ndarray:
        if self.spec.section != "by_code":
            return np.full(self.n, self.spec.section, dtype=object)
        code = self.code.to_numpy()
        kinds = [
            "prefecture" if c in MUNICIPALITY_CODES or (c[4:] == "00" and c[2:] != "0000")
            else "province" if c[2:] == "0000"
            else "county"
            for c in code
        ]  # fmt: skip
        return np.array(kinds, dtype=object)

    def read(self) -> tuple[pd.DataFrame, list[dict], dict]:
        spec = self.spec
        parts = []
        if spec.layout == "long":
            years = _years(self._column(spec.keys.year) or ())
            for value in spec.values:
                number = self.header.find(value.column)
                if number is not None:
                    parts.append(self._cells(number, years, np.full(self.n, value, dtype=object)))
        else:
            chosen = self._chosen()
            for key, number in self.header.columns.items():
                year = YEAR.match(key)
                if year:
                    parts.append(
                        self._cells(
                            number, np.full(self.n, int(year.group(1)), dtype=np.int32), chosen
                        )
                    )
        place = f"{self.path.name}, sheet {self.sheet.name}"
        frame, contradicting = without_contradictions(stack(parts), spec.layout, place)
        self.rejects += contradicting
        keyed = self.entity != ""
        if spec.layout == "long":
            keyed = keyed & (years > 0)
        rejected = {reject["row"] - self.first_row for reject in self.rejects}
        footers = sum(
            1
            for i, row in enumerate(zip(*self.columns))
            if not keyed[i] and i not in rejected and any(map(filled, row))
        )
        said = [f"{footers} rows of notes or adverts past the data"] if footers else []
        if self.left_out and spec.only is not None:
            said.append(f"{self.left_out} rows are not of {' or '.join(spec.only.values)}")
        known = frame["data_year"].dropna() if len(frame) else pd.Series(dtype=float)
        report = {
            "section": spec.section if spec.section != "by_code" else "mixed",
            "data_year": int(known.min()) if len(known) else None,
            "data_year_last": int(known.max()) if len(known) else None,
            "status": "read",
            "reason": "; ".join(said) or None,
            "n_entities": len(frame[["entity_printed", "entity_code_printed"]].drop_duplicates())
            if len(frame) else 0,
            "n_indicators": frame["indicator_key"].nunique() if len(frame) else 0,
            "n_observations": len(frame),
            "n_missing": self.missing,
            "n_rejects": len(self.rejects),
            "columns_not_read": json.dumps(self._not_read(keyed), ensure_ascii=False),
        }  # fmt: skip
        return frame, self.rejects, report

    def _not_read(self, keyed: np.ndarray) -> list[list[object]]:
        """Columns of numbers that the mapping does not name: title, first cell, cells.

        Row numbers and codes are no numbers of anything.
        """
        spec, keys = self.spec, self.spec.keys
        named = [v.column for v in spec.values] + [
            getattr(keys, k) for k in type(keys).model_fields
        ]
        named += [rule.column for rule in (spec.only, *spec.about) if rule is not None]
        used = {self.header.find(names) for names in named if names}
        found: list[list[object]] = []
        for key, number in self.header.columns.items():
            if number in used or YEAR.match(key) or _NO_QUANTITY.search(key):
                continue
            cells = [c for c, wanted in zip(self.columns[number], keyed, strict=True) if wanted]
            numbers = sum(parse_number(c).kind == "number" for c in cells)
            if numbers and 2 * numbers >= sum(map(filled, cells)):
                title = printed(self.sheet.rows[self.header.row][number]).strip()
                found.append([title, f"{column_letter(number + 1)}{self.first_row}", numbers])
        return found

    def _chosen(self) -> np.ndarray:
        """The value that each row of a wide sheet means: one for all, or by its label."""
        if not self.spec.labels:
            return np.full(self.n, self.spec.values[0], dtype=object)
        by_key = {column_key(label): value for label, value in self.spec.labels.items()}
        if self.spec.other_labels == "keep":
            for text in set(self.label) - {""}:
                by_key.setdefault(column_key(text), unmapped_label(text))
        return np.array([by_key.get(column_key(text)) for text in self.label], dtype=object)

    def _cells(self, number: int, years: np.ndarray, meaning: np.ndarray) -> pd.DataFrame:
        """One column of cells as observations; rejects and missing cells are noted."""
        cells = self.columns[number]
        value = np.full(self.n, np.nan)
        note = np.full(self.n, None, dtype=object)
        status = np.zeros(self.n, dtype=np.int8)  # 0 missing, 1 number, 2 noise
        suggestion: dict[int, str] = {}
        read: dict[str, Parsed] = {}  # texts repeat; each distinct one is parsed once
        for i, cell in enumerate(cells):
            if type(cell) is float and cell == cell:
                value[i], status[i] = cell, 1
            elif cell is None or cell == "":
                continue
            else:
                key = cell if isinstance(cell, str) else repr(cell)
                parsed = read.get(key) or read.setdefault(key, parse_number(cell))
                if parsed.kind == "number":
                    value[i], status[i] = parsed.value, 1
                    note[i] = parsed.note or None
                elif parsed.kind == "noise":
                    status[i], suggestion[i] = 2, parsed.suggestion
        has_year, has_entity = years > 0, self.entity != ""
        has_meaning = np.array([m is not None for m in meaning], dtype=bool)
        row_of_data = has_year & has_entity
        is_other = np.zeros(self.n, dtype=bool)
        is_other[list(self.others)] = True
        self.missing += int(((status == 0) & row_of_data).sum())
        # Text in a row without keys is a note or an advert; a number there is not.
        lost = (status == 1) & ~(row_of_data & has_meaning & ~is_other)
        noise = (status == 2) & row_of_data
        title = printed(self.sheet.rows[self.header.row][number]).strip()
        letter = column_letter(number + 1)
        for i in np.flatnonzero(lost | noise).tolist():
            self.rejects.append(
                self._reject(
                    i, number, f"{letter}{i + self.first_row}", title, years,
                    suggestion.get(i),
                )
            )  # fmt: skip
        good = np.flatnonzero((status == 1) & ~lost)
        if len(good) and meaning[good[0]].within and not self.row_unit.any():
            meant = meaning[good[0]]  # within belongs to the long layout: the same for all rows
            if not self.header.unit_of(number, meant.column):
                known = {f"{letter}{i + self.first_row}": float(value[i]) for i in good}
                wrong = assumed_unit_fails(meant, title, known)
                if wrong is not None:
                    self.rejects += [
                        self._reject(i, number, cell, title, years, None, wrong)
                        for i, cell in zip(good.tolist(), known, strict=True)
                    ]
                    good = good[:0]
        values = [meaning[i] for i in good]
        stated = {v.column: self.header.unit_of(number, v.column) for v in set(values)}
        unit = [self.row_unit[i] or stated[v.column] or v.unit for i, v in zip(good, values)]
        # A cell that shows a percent sign is in percent, whatever the mapping says of its column;
        # one that is only formatted so holds the number that the mapping means, unless that is %.
        top = self.header.row + 1
        for place, i in enumerate(good.tolist()):
            formatted = (top + i, number) in self.sheet.percent and unit_key(unit[place]) == "%"
            if formatted:
                value[i] = round(value[i] * 100, 10)
                note[i] = f"percent format: stored as {printed(cells[i])}"
            if formatted or "% sign removed" in (note[i] or ""):
                unit[place] = "%"
        rows = good + self.first_row
        # A value column of a wide sheet is titled by the year: its label or item names the series.
        name = title if self.spec.layout == "long" else self.label
        series = np.where(self.item != "", self.item, name)
        extra = [v.note for v in values]
        return pd.DataFrame(
            {
                "data_year": years[good],
                "section": self.section[good],
                "entity_printed": self.entity[good],
                "entity_code_printed": self.code.to_numpy()[good],
                "province_printed": self.province[good],
                "indicator_printed": series[good],
                "indicator_key": [v.indicator for v in values],
                "scope": "city" if self.spec.section == "prefecture" else "unspecified",
                "unit_printed": unit,
                "unit_key": [unit_key(u) or u for u in unit],
                "value_printed": [printed(cells[i]) for i in good],
                "value": value[good],
                "note": ["; ".join(filter(None, pair)) or None for pair in zip(note[good], extra)],
                "row": rows,
                "col": number + 1,
                "cell": [f"{letter}{r}" for r in rows],
            }
        )

    def _reject(
        self, i: int, number: int, cell: str, title: str, years: np.ndarray,
        suggestion: str | None, unit_problem: str | None = None,
    ) -> dict:  # fmt: skip
        shown = printed(self.columns[number][i])
        where = f"{self.path.name}, sheet {self.sheet.name}, cell {cell}"
        if suggestion is not None:
            reason, detail = "not_a_number", f"{where}: {shown!r} is not a number"
        elif unit_problem is not None:
            reason, detail = "unit_not_stated", f"{where}: {unit_problem}"
            suggestion = "write the unit of the numbers into the title, in brackets"
        elif i in self.others:
            reason, detail = "other_subject", f"{where}: {self.others[i]}"
            suggestion = "keep the wanted rows only, or correct the column"
        elif years[i] <= 0:
            reason = "row_without_year"
            detail = f"{where}: the number {shown} stands in a row without a year"
            suggestion = "fill the year in the file, or remove the row"
        elif self.entity[i] == "":
            reason = "row_without_entity"
            detail = f"{where}: the number {shown} stands in a row without a name"
            suggestion = "fill the name in the file, or remove the row"
        else:
            reason = "indicator_not_mapped"
            detail = f"{where}: the label {self.label[i]!r} is not among the mapping's labels"
            suggestion = "add the label to the mapping"
        return {
            "data_year": int(years[i]) if years[i] > 0 else None,
            "row": i + self.first_row,
            "col": number + 1,
            "cell": cell,
            "entity_printed": self.entity[i],
            "indicator_printed": title,
            "value_printed": shown,
            "reason": reason,
            "detail": detail,
            "suggestion": suggestion,
        }


def _years(cells: Sequence[object]) -> np.ndarray:
    """Years of a key column, 0 where a cell is no year."""
    known: dict[object, int] = {}
    out = np.zeros(len(cells), dtype=np.int32)
    for i, cell in enumerate(cells):
        if cell not in known:
            text = printed(cell)
            found = YEAR.match(text) or _YEAR_END.match(text)
            known[cell] = int(found.group(1)) if found else 0
        out[i] = known[cell]
    return out


def stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Frames below each other; an empty frame of nothing."""
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

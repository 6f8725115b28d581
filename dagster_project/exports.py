"""Tables of a release for Stata: labelled ``.dta`` files with the definitions as Stata notes.

Belongs here: what Stata's format needs that Parquet does not (short labels, names, notes). Does not
belong here: which tables are released (``release``); R, Python and Julia read the Parquet files.
The writer is pandas'; only the notes, which pandas cannot write, are added here.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.io.stata import StataWriterUTF8  # type: ignore[attr-defined]

_STATA_NAMES = {"city_year": "panel_stata", "city_year_consistent": "panel_consistent"}
LABEL_LENGTH = 80
NAME_LENGTH = 32
# The time stamp is part of the file; a fixed one keeps the same panel the same bytes.
_TIME_STAMP = datetime(2000, 1, 1)
_COMMENT = re.compile(
    r"^(?:(?P<term>[^。]*)。\s*)?(?P<text>.*?)(?:\s*\[(?P<unit>[^\]]*)\])?\s*$", re.DOTALL
)
# Width of a name in a characteristic of format 118, in bytes, end of string included.
_CHARACTERISTIC_NAME = 129


def stata_name(name: str) -> str:
    """A column name that Stata takes: 32 characters at most; longer ones end in a short hash."""
    if len(name) <= NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:4]
    return f"{name[: NAME_LENGTH - 5]}_{digest}"


def variable_label(comment: str) -> str:
    """The label of a variable from its comment: term, first sentence, unit; 80 characters at most.

    Comments read ``Chinese term。 First sentence. More. [unit]``. Term and unit are kept whole, the
    sentence gives way.
    """
    parts = _COMMENT.match(" ".join(comment.split()))
    if parts is None:
        return ""
    term, unit = parts["term"] or "", ""
    if parts["unit"] not in (None, "", "1"):
        unit = f" [{parts['unit']}]"
    sentence = re.split(r"(?<=[\w)%])\. ", parts["text"] + " ")[0].strip().rstrip(".")
    room = LABEL_LENGTH - len(term) - len(unit) - (1 if term else 0)
    if len(sentence) > room:
        cut = sentence[: max(room - 3, 0)]
        sentence = (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "..." if room > 10 else ""
    return (" ".join(p for p in (term, sentence) if p) + unit)[:LABEL_LENGTH]


class _NotedStataWriter(StataWriterUTF8):
    """pandas' writer of format 118 with notes, which Stata keeps as characteristics ``note1``."""

    notes: Mapping[str, str] = {}

    def _write_characteristics(self) -> None:
        self._update_map("characteristics")
        body = b"".join(
            _characteristic(self._byteorder, variable, name, text)
            for variable, note in self.notes.items()
            # note0 holds the number of notes.
            for name, text in (("note0", "1"), ("note1", note))
        )
        self._write_bytes(self._tag(body, "characteristics"))


def _characteristic(byteorder: str, variable: str, name: str, text: str) -> bytes:
    """One ``<ch>`` element as the description of format 118 (``help dta``) sets it out."""
    content = text.encode("utf-8") + b"\0"
    head = b"".join(
        value.encode("utf-8").ljust(_CHARACTERISTIC_NAME, b"\0") for value in (variable, name)
    )
    length = struct.pack(byteorder + "I", len(head) + len(content))
    return b"<ch>" + length + head + content + b"</ch>"


def write_stata(path: Path, frame: pd.DataFrame, comments: Mapping[str, str], title: str) -> None:
    """Write one table as a Stata file (format 118, Stata 14 and later).

    Parameters
    ----------
    path
        The file.
    frame
        One row per city and year. ``city_id``, the city code as a number, is put in front, because
        ``xtset`` takes no text.
    comments
        Comment of each column; becomes label and note.
    title
        Label of the data set, cut at 80 characters, and its first note in full.
    """
    table = pd.DataFrame(index=frame.index)
    labels: dict[str, str] = {}
    notes: dict[str, str] = {"_dta": title}
    if "city_code" in frame.columns:
        table["city_id"] = pd.to_numeric(frame["city_code"]).astype("int32")
        labels["city_id"] = "City code as a number, for xtset city_id year"
    columns: dict[str, pd.Series] = {}
    for column in frame.columns:
        name = stata_name(str(column))
        if name in columns:
            raise ValueError(
                f"{path.name}: two columns would be called {name} in Stata; rename {column}"
            )
        columns[name] = _stata_column(frame[column])
        comment = comments.get(str(column), "")
        if comment:
            labels[name] = variable_label(comment)
            notes[name] = " ".join(comment.split())
        if name != column:
            notes[name] = f"{column}: {notes.get(name, '')}"
    table = pd.concat([table, pd.DataFrame(columns)], axis=1)
    writer = _NotedStataWriter(
        path,
        table,
        write_index=False,
        time_stamp=_TIME_STAMP,
        data_label=title[:LABEL_LENGTH],
        variable_labels=labels,  # type: ignore[arg-type]
        version=118,
    )
    writer.notes = notes
    writer.write_file()


def _stata_column(values: pd.Series) -> pd.Series:
    """Whole numbers with gaps and truth values as floats, text without gaps: what Stata knows."""
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_integer_dtype(values):
        if values.isna().any():
            return values.astype("float64")
        return values.astype("int8" if pd.api.types.is_bool_dtype(values) else values.dtype)
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    return values.astype(object).map(lambda v: "" if pd.isna(v) else str(v)).astype(object)


def write_stata_tables(
    folder: Path, tables: Mapping[str, Any], comments: Mapping[str, Mapping[str, str]], title: str
) -> list[Path]:
    """Write the panel and the estimation samples (all tables by city and year) as Stata files.

    The panel is called ``panel_stata.dta``, its reading on consistent boundaries
    ``panel_consistent.dta``, the samples by their table's name.
    """
    folder.mkdir(exist_ok=True)
    written = []
    for name, table in sorted(tables.items()):
        if name not in _STATA_NAMES and not name.startswith("sample_"):
            continue
        frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
        path = folder / f"{_STATA_NAMES.get(name, name)}.dta"
        write_stata(path, frame, comments.get(name, {}), f"{title} Table {name}.")
        written.append(path)
    return written

"""The lake: complete partitions only, whatever moment a run is killed at."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dagster_project.extract.schema import FILE_SCHEMA, ExtractResult, as_frame
from dagster_project.lake import Lake, partition_fingerprint, replacing


def _result() -> ExtractResult:
    return ExtractResult.from_rows(
        [{"source": "s", "data_year": 2020, "value": 1.5, "file": "f"}],
        [{"source": "s", "file": "f", "reason": "noise"}],
        [{"source": "s", "file": "f", "status": "read"}],
    )


def test_write_and_fingerprint(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.prepare()
    assert lake.fingerprint("s", "2020") is None
    lake.write("s", "2020", _result(), "abc")
    assert lake.fingerprint("s", "2020") == "abc"
    assert lake.partitions("s") == ["2020"]
    counts = lake.counts().set_index("kind")["rows"].to_dict()
    assert counts == {"raw": 1, "rejects": 1, "files": 1}


def test_a_partition_written_in_part_is_read_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write("s", "2020", _result(), "old")
    # Killed after the first of three files of the next version.
    newer = Lake(tmp_path / "other")
    newer.write("s", "2020", _result(), "new")
    newer.path("rejects", "s", "2020").rename(lake.path("rejects", "s", "2020"))
    assert lake.fingerprint("s", "2020") is None


def test_a_killed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_empty_tables_have_the_contract_columns(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.prepare()
    schema = pq.read_schema(lake.path("files", "_empty", "_empty"))
    assert schema.names == FILE_SCHEMA.names


def test_the_fingerprint_depends_on_name_content_and_reader() -> None:
    base = partition_fingerprint([("a", "1"), ("b", "2")], "v1")
    assert base == partition_fingerprint([("b", "2"), ("a", "1")], "v1")
    assert (
        len(
            {
                base,
                partition_fingerprint([("a", "1")], "v1"),
                partition_fingerprint([("a", "1"), ("b", "3")], "v1"),
                partition_fingerprint([("a", "1"), ("b", "2")], "v2"),
            }
        )
        == 4
    )


def test_columns_outside_the_contract_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not in the contract.*colour"):
        as_frame([{"colour": "red"}], FILE_SCHEMA)

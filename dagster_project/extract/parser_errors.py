"""What third-party parsers raise on damaged files, found by feeding them damaged files.

Belongs here: the one list of exceptions that readers turn into a refusal. Does not belong here:
the messages (each reader knows what to advise).
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib

import pyarrow as pa

# A flipped byte in a header makes the parsers for NetCDF, Stata, Parquet and zip fail by any of
# these; MemoryError and OverflowError come from absurd declared sizes.
PARSER_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
    lzma.LZMAError,
    pa.ArrowException,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

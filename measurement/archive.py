"""A result as bytes: arrays and a JSON header in an npz without objects, so that reading it runs nothing."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from tokenize import TokenError  # what NumPy lets through where an array's header is damaged

import numpy as np

from measurement.errors import DataError
from measurement.provenance import canonical_json
from measurement.typing import Floats, Json

FORMAT = 1
LARGEST = 1 << 31
"""Most bytes that an archive may unpack to."""


def pack(header: Json, arrays: Mapping[str, Floats]) -> bytes:
    """Write a JSON-able header and arrays; equal content gives equal bytes."""
    text = canonical_json({"format": FORMAT} | header).encode("utf-8", "surrogatepass")
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, header=np.frombuffer(text, dtype=np.uint8), **arrays)
    return stream.getvalue()


def unpack(data: bytes, what: str) -> tuple[Json, dict[str, Floats]]:
    """Read what `pack` wrote.

    Args:
        data: The bytes.
        what: What they should be, for the error ("attribution").

    Raises:
        DataError: Where the bytes are damaged, of another format, or would unpack to more than 2 GB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as names:
            if sum(item.file_size for item in names.infolist()) > LARGEST:
                raise DataError(f"a stored {what} unpacks to more than 2 GB: it is refused")
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(arrays.pop("header").tobytes().decode("utf-8", "surrogatepass"))
    except (zipfile.BadZipFile, zlib.error, TokenError, SyntaxError, ValueError, KeyError, OSError, EOFError):
        raise DataError(f"these bytes are no stored {what}, or a damaged one") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"this stored {what} has another format than this version reads")
    return header, arrays

"""What this engine is a version of: a digest of the sources that decide what is valid and what code is made of it."""

from __future__ import annotations

import sys
import time
from functools import cache
from hashlib import sha256
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import ppci

IMPORTED = time.time()
"""Sources that are younger are perhaps not those that run here."""

CHAPTERS = ("binary", "compiled", "execution", "syntax", "validation")
"""The folders that count."""


@cache
def engine_version() -> bytes | None:
    """32 bytes that are others when the engine, its decoder or the version of Python are; None if that cannot be told:
    the sources are not there, or were changed while this process runs."""
    digest = sha256()
    python = f"{sys.implementation.cache_tag or sys.version}\0{MAGIC_NUMBER.hex()}\0ppci {ppci.__version__}"
    digest.update(python.encode())
    root = Path(__file__).parents[1]
    count = 0
    try:
        for file in sorted(file for chapter in CHAPTERS for file in (root / chapter).glob("*.py")):
            with file.open("rb", buffering=0) as opened:
                source = opened.read()
            if file.stat().st_mtime > IMPORTED:
                return None
            digest.update(b"\0%s/%s\0%d\0" % (file.parent.name.encode(), file.name.encode(), len(source)))
            digest.update(source)
            count += 1
    except OSError:
        return None
    return digest.digest() if count else None

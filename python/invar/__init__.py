# SPDX-License-Identifier: Apache-2.0
"""Representations without labels: libinvar for Python. docs/python.md explains."""

from ._library import DataError, Error, FileError, UsageError  # first: it says what is missing
from ._encoder import Encoder
from ._run import Run, loss, pretrain
from ._version import __version__

__all__ = ["DataError", "Encoder", "Error", "FileError", "Run", "UsageError", "__version__", "loss", "pretrain"]

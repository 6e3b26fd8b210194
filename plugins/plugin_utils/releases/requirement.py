# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Go a project asks for in its own files."""

import os
import re
from collections.abc import Iterator

from ...module_utils.errors import GoHostError
from ...module_utils.toolchain.model import parse_line, parse_version
from .resolve import CHANNELS

FILES = ("go.mod", "go.work", ".go-version", ".tool-versions")


def is_file(term: str) -> bool:
    """Whether a word means a file, not a version."""
    return "/" in term or term in FILES


def read(path: str, text: str | None = None) -> str:
    """What the file asks for, to be given to resolve: "1.27.3", "1.26", "stable". `text` spares reading the file.

    GoHostError for a file of another kind, one that cannot be read or names no version.
    """
    name = os.path.basename(path)
    if name not in FILES:
        raise GoHostError("not a file that names a Go version", path, f"It must be one of {', '.join(FILES)}.")
    if text is None:
        try:
            with open(path, encoding="utf-8-sig") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise GoHostError("cannot read the file that names the Go version", path, getattr(error, "strerror", None) or "It is not text.") from error
    asked = {"go.mod": _module, "go.work": _module, ".go-version": _go_version, ".tool-versions": _tool_versions}[name](text)
    if asked is None:
        raise GoHostError("the file names no Go version", path)
    asked = {"latest": "stable"}.get(asked, asked)
    if asked not in CHANNELS and parse_version(asked) is None:
        raise GoHostError("the file names a Go version that cannot be installed", f"{asked!r} in {path}")
    return asked.removeprefix("go")


def _module(text: str) -> str | None:
    """go.mod and go.work: the toolchain line, unless the go line asks for something newer (cmd/go/internal/toolchain/select.go)."""
    said: dict[str, str] = {}
    for words in _directives(text):
        if len(words) == 2 and words[0] in ("go", "toolchain"):
            said.setdefault(words[0], words[1])
    go, toolchain = said.get("go"), said.get("toolchain")
    if toolchain in (None, "default", "none", "local"):
        return go
    wanted, least = parse_version(toolchain or ""), parse_version(go or "")
    return go if wanted and least and least > wanted else toolchain


def _directives(text: str) -> Iterator[list[str]]:
    """The words of each line outside of ( ), without comments and quotes."""
    block = False
    for line in text.splitlines():
        words = [word.strip('"`') for word in line.partition("//")[0].split()]
        if not block:
            yield words
        block = words[-1:] == ["("] or (block and words[:1] != [")"])


def _go_version(text: str) -> str | None:
    return next((line.split()[0] for line in _uncommented(text)), None)


def _tool_versions(text: str) -> str | None:
    """asdf's and mise's: `golang 1.27.3 1.26.1`, the first counts; `latest:1.26` is the newest of that line."""
    for words in map(str.split, _uncommented(text)):
        if words[0] in ("golang", "go") and len(words) > 1:
            line = re.fullmatch(r"latest:(.+)", words[1])
            return line.group(1) if line is not None and parse_line(line.group(1)) else words[1]
    return None


def _uncommented(text: str) -> Iterator[str]:
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if line:
            yield line

# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several candidates serves: the same walk where the host fetches and where the controller does."""

from typing import Callable, Iterable, List, Optional, TypeVar

from ..errors import GoHostError
from .model import Candidate
from .web import Credentials, FetchError, redact

Had = TypeVar("Had")


def first(version: str, arch: str, candidates: Iterable[Candidate], attempt: Callable[[Candidate], Had], refused: List[str]) -> Had:
    """What attempt makes of the first candidate for which it raises no GoHostError; refused gets a line for each before it."""
    ended = -1
    for candidate in candidates:
        if candidate.source_index == ended:
            continue
        try:
            return attempt(candidate)
        except GoHostError as error:
            refused.append(f"{candidate.source} {origin(candidate)}: {error}")
            if candidate.fallback == "not_found" and not (isinstance(error, FetchError) and error.not_found):
                ended = candidate.source_index
    raise GoHostError(f"Go {version} for linux-{arch} could not be had from any source", " | ".join(refused))


def check_digest(candidate: Candidate, digest: str) -> None:
    if digest not in candidate.digests:
        found = f"the archive has {digest}, {candidate.authority} says {' or '.join(candidate.digests)}"
        raise GoHostError("digest differs", found, "Do not use this archive: find out who changed it.")


def credentials(candidate: Candidate) -> Optional[Credentials]:
    return Credentials(candidate.username, candidate.password) if candidate.username else None


def origin(candidate: Candidate) -> str:
    """Where it is, without credentials."""
    return redact(candidate.url) if candidate.url else candidate.path

# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One download for many forks: a cache on the controller that is safe among processes and threads."""

import fcntl
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ...module_utils.errors import GoHostError


class SharedFailure(GoHostError):
    """What another process, whom this one waited for, failed with. `not_found` and `status` as the error there had them."""

    def __init__(self, what: str, status: int | None, not_found: bool) -> None:
        super().__init__(what)
        self.status = status
        self.not_found = not_found


class Obtained(NamedTuple):
    """A verified file in the cache; `fresh` where this call has fetched it."""

    path: str
    fresh: bool


def default_dir(environ: Mapping[str, str]) -> Path:
    """The collection's cache directory on the controller, by the XDG base directory specification."""
    base = environ.get("XDG_CACHE_HOME", "")
    return Path(base if base.startswith("/") else os.path.expanduser("~/.cache")) / "gohost.linux"


def private_dir(path: Path) -> Path:
    """Makes the directory, for its owner alone; refuses one that somebody else could write to."""
    try:
        for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        seen = path.stat()
    except OSError as error:
        raise GoHostError("cannot use the cache directory", path, f"{error.strerror}: set XDG_CACHE_HOME to a directory of your own.") from error
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) & 0o022:
        raise GoHostError(
            "the cache directory is no directory, another user's, or open to others", path, "Remove it, or set XDG_CACHE_HOME to a directory of your own."
        )
    return path


def write_atomically(path: Path, data: bytes) -> None:
    """All of it or nothing, and for the owner alone. The directory must exist."""
    handle, name = tempfile.mkstemp(prefix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def turn(lock: Path, origin: str = "", share: type[GoHostError] = GoHostError) -> Iterator[None]:
    """One at a time among processes and threads. Who waited while the one before failed (with `share`, at the same origin) gets that
    failure as SharedFailure, instead of a hundred forks waiting for a hundred timeouts one after the other."""
    began = time.time()
    origin = hashlib.sha256(origin.encode()).hexdigest()
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise GoHostError("cannot use the lock file in the cache directory", lock, error.strerror) from error
    with open(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(ValueError, KeyError, TypeError):
            note = json.loads(file.read())
            if note["time"] >= began and note["origin"] == origin:
                raise SharedFailure(note["what"], note["status"], note["not_found"])
        file.truncate(0)
        try:
            yield
        except share as error:
            note = {"time": time.time(), "origin": origin, "what": str(error)}
            note.update(status=getattr(error, "status", None), not_found=getattr(error, "not_found", False))
            file.seek(0)
            file.write(json.dumps(note).encode())
            raise


class DownloadCache:
    """Archives on the controller, under their name and the digests they were verified against.

    Beside each one lie `.stamp` (what the file looked like when it was verified) and `.lock`; `.part` is a download under way.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def obtain(
        self,
        name: str,
        digests: Sequence[str],
        fetch: Callable[[BinaryIO], object],
        verify: Callable[[str], object],
        origin: str = "",
        reverify: bool = False,
    ) -> Obtained:
        """The file `name` that matches `digests`: from the cache, else fetched by exactly one of all that ask.

        `fetch` writes it into the file it is given; `verify` raises GoHostError when the file at a path does not match. A cached file
        that was touched since it was verified (size, times, inode), or with `reverify` no longer matches, is fetched again.
        `origin` says where fetch goes, so that a failure is shared only with those who wait for the same place.
        """
        key = hashlib.sha256("\n".join([name, *sorted(digests)]).encode()).hexdigest()[:16]
        kept = private_dir(self.directory) / f"{key}-{os.path.basename(name)}"
        with turn(kept.with_name(kept.name + ".lock"), origin):
            try:
                if self._good(kept, verify if reverify else None):
                    return Obtained(str(kept), False)
                self._sweep()
                self._fetch(kept, fetch, verify)
            except OSError as error:
                hint = f"{error.strerror}: make room, or set XDG_CACHE_HOME to a larger file system."
                raise GoHostError("cannot write the download cache", kept, hint) from error
            return Obtained(str(kept), True)

    def _fetch(self, kept: Path, fetch: Callable[[BinaryIO], object], verify: Callable[[str], object]) -> None:
        part = kept.with_name(kept.name + ".part")
        part.unlink(missing_ok=True)
        try:
            with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "w+b") as file:
                fetch(file)
                file.flush()
                os.fsync(file.fileno())
            verify(str(part))
            os.replace(part, kept)
        finally:
            part.unlink(missing_ok=True)
        write_atomically(_stamp_of(kept), _looks(kept))

    @staticmethod
    def _good(kept: Path, verify: Callable[[str], object] | None) -> bool:
        try:
            if _stamp_of(kept).read_bytes() != _looks(kept):
                return False
            if verify is not None:
                verify(str(kept))
        except (FileNotFoundError, GoHostError):
            return False
        return True

    def _sweep(self) -> None:
        """Removes what killed processes left: a `.part` whose lock nobody holds, temporary files older than a day."""
        for part in self.directory.glob("*.part"):
            with suppress(OSError), open(part.with_name(part.name[: -len(".part")] + ".lock"), "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink(missing_ok=True)
        for stray in self.directory.glob(".tmp*"):
            with suppress(FileNotFoundError):
                if stray.stat().st_mtime < time.time() - 86400:
                    stray.unlink()


def _stamp_of(kept: Path) -> Path:
    return kept.with_name(kept.name + ".stamp")


def _looks(kept: Path) -> bytes:
    # The time of change cannot be set by a program, so that whatever writes to the file shows.
    seen = kept.stat()
    return json.dumps([seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino]).encode()

# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and templates on disk, each under a key of what went in; outside the checkout, so that a fresh clone finds them."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hosts import machine
from tests.runner.workspace import Failed

FILES = Path(__file__).parent / "files"
KEPT = 14 * 86400  # seconds that an image is kept which nothing uses


def home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    path = Path(base if base.startswith("/") else os.path.expanduser("~/.cache")) / "gohost.linux/hosts"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def key(*parts: object) -> str:
    """Sixteen hexadecimal digits for texts, lists of texts, and files (by their content)."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else repr(part).encode()
        digest.update(b"%d:%s" % (len(data), data))
    return digest.hexdigest()[:16]


@contextmanager
def turn() -> Iterator[None]:
    """One builder at a time on this machine."""
    with (home() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def directory(name: str, wanted: str, fill: Callable[[Path], None]) -> Path:
    """The directory NAME-KEY, filled once by `fill`; it appears when it is complete. Raises what fill raises."""
    path = home() / f"{name}-{wanted}"
    if not path.is_dir():
        with turn():
            if not path.is_dir():
                _fill(path, name, fill)
    os.utime(path)
    return path


def _fill(path: Path, name: str, fill: Callable[[Path], None]) -> None:
    start = time.monotonic()
    say(f"{name}: being built")
    unfinished = path.with_name(f".{path.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        fill(unfinished)
        unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    say(f"{name}: built in {time.monotonic() - start:.0f} s")
    _forget()


def _forget() -> None:
    for path in home().iterdir():
        if path.is_dir() and time.time() - path.stat().st_mtime > KEPT:
            shutil.rmtree(path, ignore_errors=True)


def public_key() -> Path:
    """The key that all hosts let in; the private one lies beside it."""
    path = home() / "id_ed25519.pub"
    if not path.is_file():
        machine.need(machine.SSH)
        with turn():
            if not path.is_file():
                private = path.with_suffix("")
                private.unlink(missing_ok=True)
                command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gohost.linux test hosts", "-f", str(private)])
    return path


def private_key() -> Path:
    return public_key().with_suffix("")


def command(argv: list[str], timeout: float = 1200) -> str:
    """The output of argv. Raises Failed with the end of what it said."""
    done = subprocess.run(machine.polite(argv), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=timeout)
    if done.returncode:
        raise Failed(f"{argv[0]} ended with status {done.returncode}: {(done.stderr.strip() or done.stdout.strip())[-2000:]}")
    return done.stdout

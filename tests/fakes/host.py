# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real file system through the port, seen from below one directory, and killed on request."""

import contextlib
import os
import signal
import socket
import threading
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult, FileStat, Host, LocalHost, Process


class RealHost(LocalHost):
    """The machine that runs the tests, where no program is installed and none listens."""

    def run(self, argv: List[str]) -> CommandResult:
        return CommandResult(tuple(argv), 127, "", "")

    def connect(self, path: str) -> socket.socket:
        raise FileNotFoundError(path)


class BoundedHost(LocalHost):
    """LocalHost that knows nothing outside base: no other Go, no unit, no package manager of the machine that runs the tests.

    commands: what programs answer, by argv; all others are not installed. bits and name: what kind of machine it is.
    """

    def __init__(self, base: str, name: str = "x86_64", bits: int = 64, commands: Optional[Dict[Tuple[str, ...], CommandResult]] = None) -> None:
        self.base = os.path.realpath(base)
        self.name = name
        self.bits = bits
        self.commands = commands or {}
        self.extra_processes: List[Process] = []

    def _inside(self, path: str) -> bool:
        return path == self.base or path.startswith(self.base + "/")

    def machine(self) -> Tuple[str, int]:
        return self.name, self.bits

    def run(self, argv: List[str]) -> CommandResult:
        return self.commands.get(tuple(argv), CommandResult(tuple(argv), 127, "", ""))

    def connect(self, path: str) -> socket.socket:
        raise FileNotFoundError(path)

    def stat(self, path: str) -> Optional[FileStat]:
        return super().stat(path) if self._inside(path) else None

    def listing(self, path: str) -> List[str]:
        return super().listing(path) if self._inside(path) else []

    def sync(self, path: str) -> None:
        """Says nothing about kill -9, and may take seconds on a busy disk."""

    def processes(self) -> List[Process]:
        inside = [process for process in super().processes() if self._inside(process.executable)]
        return inside + self.extra_processes


class SlowSwapHost(BoundedHost):
    """Without renameat2: exchange by three renames, each a call of its own."""

    def exchange(self, one: str, other: str) -> None:
        aside = other + ".gohost-swap"
        self.rename(other, aside)
        self.rename(one, other)
        self.rename(aside, one)


class Fuse:
    """Counts calls of the port, and kills this process, or its whole group, before or after the n-th.

    within kills in the middle of those calls that are more than one system call: half a file written, half a tree removed.
    """

    def __init__(self, number: int = 0, when: str = "before", group: bool = False) -> None:
        self.number = number
        self.when = when
        self.group = group
        self.calls: List[str] = []
        self._counting = threading.Lock()

    def count(self, name: str) -> int:
        with self._counting:
            self.calls.append(name)
            return len(self.calls)

    def die(self) -> None:
        if self.group:
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def at(self, when: str, number: int) -> bool:
        return self.number == number and self.when == when

    def guarded(self, name: str, real: Callable[..., Any], within: Callable[[str, Tuple[Any, ...]], Tuple[Any, ...]]) -> Callable[..., Any]:
        """A method of a port that passes the fuse. within: what a call is given that is killed in its middle."""

        def call(port: Any, *given: Any, **named: Any) -> Any:
            number = self.count(name)
            if self.at("before", number):
                self.die()
            if self.at("within", number):
                given = within(name, given)
            result = real(port, *given, **named)
            if self.at("after", number):
                self.die()
            return result

        return call


def fused(kind: type, fuse: Fuse, *arguments: Any) -> Host:
    """A host of this kind whose every call of the port passes the fuse."""

    def within(name: str, given: Tuple[Any, ...]) -> Tuple[Any, ...]:
        if name == "create":
            return (given[0], given[1], _half(fuse, given[2]))
        if name == "remove_tree":
            _remove_half(given[0])
            fuse.die()
        return given

    methods = {name: fuse.guarded(name, getattr(kind, name), within) for name in Host.__abstractmethods__ if name != "lock"}

    @contextlib.contextmanager
    def lock(self: Host, path: str, timeout: float) -> Iterator[None]:
        number = fuse.count("lock")
        if fuse.at("before", number):
            fuse.die()
        with kind.lock(self, path, timeout):  # type: ignore[attr-defined]
            if fuse.at("after", number):
                fuse.die()
            yield

    made: Host = type("Fused" + kind.__name__, (kind,), dict(methods, lock=lock))(*arguments)
    return made


def _half(fuse: Fuse, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[: len(chunk) // 2]
        break
    fuse.die()


def _remove_half(path: str) -> None:
    names: List[str] = []
    for directory, _directories, files in os.walk(path):
        names += [os.path.join(directory, file) for file in files]
    for name in sorted(names)[: len(names) // 2 + 1]:
        os.remove(name)

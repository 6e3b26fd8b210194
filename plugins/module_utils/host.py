# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host: the only way to touch a machine. Rooms get one; tests give them another."""

import abc
import contextlib
import ctypes
import errno
import fcntl
import functools
import hashlib
import os
import shutil
import socket
import stat
import struct
import time
from typing import BinaryIO, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .errors import GoHostError

_ANSWERS_WITHIN = 60.0  # seconds for each part of what a program on this machine has to say
_PIECE = 1 << 16  # bytes: as much is allocated for each read, and most files are small
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# <selinux/restorecon.h>: XDEV stays on the file system. SKIP_DIGEST leaves no digests in attributes; 2.9 does not know it, so IGNORE_DIGEST believes none.
_RESTORECON_IGNORE_DIGEST = 0x0001
_RESTORECON_RECURSE = 0x0008
_RESTORECON_XDEV = 0x0080
_RESTORECON_SKIP_DIGEST = 0x8000


class CommandResult(NamedTuple):
    argv: Tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


class FileStat(NamedTuple):
    """What lstat says. kind: file, directory, link or other; mode: permission bits; target: a link's text."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    target: str = ""


class TreeEntry(NamedTuple):
    """A directory itself, as ".", or one thing below it; mode with the type bits, as lstat gives it."""

    path: str
    mode: int
    uid: int
    gid: int
    size: int


class Process(NamedTuple):
    pid: int
    executable: str


class Host(abc.ABC):
    """A machine. Failing calls raise OSError, which `explained` turns into one line for a person."""

    @abc.abstractmethod
    def euid(self) -> int:
        """The user this process acts as."""

    @abc.abstractmethod
    def machine(self) -> Tuple[str, int]:
        """What `uname -m` says, and the bits of a pointer in this userland."""

    @abc.abstractmethod
    def run(self, argv: List[str]) -> CommandResult:
        """Run a program with LC_ALL=C and no input; rc 127 where it is not installed."""

    @abc.abstractmethod
    def connect(self, path: str) -> socket.socket:
        """A connection to the program that listens on a Unix socket."""

    @abc.abstractmethod
    def stat(self, path: str) -> Optional[FileStat]:
        """lstat; None where nothing is there."""

    @abc.abstractmethod
    def listing(self, path: str) -> List[str]:
        """Sorted names in a directory; empty where there is none."""

    @abc.abstractmethod
    def real(self, path: str) -> str:
        """The path with all links followed."""

    @abc.abstractmethod
    def tree(self, path: str) -> List[TreeEntry]:
        """A directory and then, in no order, all below it; links not followed."""

    @abc.abstractmethod
    def tree_digest(self, path: str, without: str) -> str:
        """SHA-256 over what lstat says of a directory and all below it: names, modes, owners, sizes and times.

        Of directories sizes and times are left out, and so is the name `without` in the directory itself.
        """

    @abc.abstractmethod
    def read(self, path: str, limit: int = 64 << 20) -> bytes:
        """A file's content; an error when it is longer than limit."""

    @abc.abstractmethod
    def open(self, path: str) -> BinaryIO:
        """A file to read."""

    @abc.abstractmethod
    def open_new(self, path: str) -> BinaryIO:
        """A new private file (0600) to write and read."""

    @abc.abstractmethod
    def create(self, path: str, mode: int, chunks: Iterable[bytes]) -> None:
        """A new file of this process's user; an error where something stands there."""

    @abc.abstractmethod
    def mkdir(self, path: str, mode: int) -> None:
        """A new directory with exactly this mode."""

    @abc.abstractmethod
    def symlink(self, target: str, path: str) -> None:
        """A new link."""

    @abc.abstractmethod
    def rename(self, source: str, target: str) -> None:
        """Atomic; replaces a file or link at the target."""

    @abc.abstractmethod
    def exchange(self, one: str, other: str) -> None:
        """Swap two paths of one file system: atomic where kernel and libc have renameat2, else by three renames."""

    @abc.abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty directory."""

    @abc.abstractmethod
    def remove_tree(self, path: str) -> None:
        """Remove a directory and all below it."""

    @abc.abstractmethod
    def sync(self, path: str) -> None:
        """Write the file system that holds the path to its disk."""

    @abc.abstractmethod
    def free_bytes(self, path: str) -> int:
        """Bytes that this user may still write to the file system of a path."""

    @abc.abstractmethod
    def writable(self, path: str) -> bool:
        """Whether this user may make things in a directory."""

    @abc.abstractmethod
    def lock(self, path: str, timeout: float) -> "contextlib.AbstractContextManager[None]":
        """Hold a directory alone; wait at most timeout seconds."""

    @abc.abstractmethod
    def relabel(self, path: str) -> bool:
        """Give a path, and all below it, the labels of the SELinux policy; False where SELinux is off."""

    @abc.abstractmethod
    def processes(self) -> List[Process]:
        """What runs now, as far as this user may see."""


_WORTH_SHARING = 40  # directories known and not yet read; a release of Go has 1,400 in all


def _entries(root: str, prefix: str) -> Iterator[Tuple[str, os.stat_result]]:
    # Names beside an open directory spare the kernel 13,000 walks down a path; 3.6 has no scandir of one.
    handle = os.open(os.path.join(root, prefix), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in os.listdir(handle):
            yield name, os.stat(name, dir_fd=handle, follow_symlinks=False)
    finally:
        os.close(handle)


@functools.lru_cache(maxsize=None)
def _permissions(mode: int, uid: int, gid: int) -> str:
    return f"{mode:o} {uid} {gid}"


def _directory_digest(root: str, prefix: str, without: str = "") -> Tuple[bytes, List[str]]:
    """What tree_digest is of: a digest for the directory root/prefix alone; its directories, as prefixes."""
    lines, directories = [], []
    for name, seen in _entries(root, prefix):
        line = f"{_permissions(seen.st_mode, seen.st_uid, seen.st_gid)} {name}"
        if stat.S_ISDIR(seen.st_mode):
            directories.append(f"{prefix}{name}/")
        elif name == without:
            continue
        else:
            line = f"{seen.st_size} {seen.st_mtime_ns} {line}"
        lines.append(line)
    lines.sort()
    return hashlib.sha256(os.fsencode("\0".join([prefix, *lines]))).digest(), directories


def _digests(root: str, waiting: List[str]) -> List[bytes]:
    found = []
    while waiting:
        digest, directories = _directory_digest(root, waiting.pop())
        found.append(digest)
        waiting += directories
    return found


def _shared_digests(root: str, waiting: List[str]) -> List[bytes]:
    """What _digests finds, by a child process and this one at the same time, each taking the next part when it is done with one."""
    # Most file systems count a directory's subdirectories as links: the largest parts go first, so that nobody waits for one at the end.
    waiting.sort(key=lambda prefix: os.lstat(os.path.join(root, prefix)).st_nlink, reverse=True)
    parts = [waiting[number::256] for number in range(min(256, len(waiting)))]
    queue, fill = os.pipe()
    os.write(fill, bytes(range(len(parts))))
    os.close(fill)

    def work() -> List[bytes]:
        found: List[bytes] = []
        while True:
            number = os.read(queue, 1)
            if not number:
                return found
            found += _digests(root, parts[number[0]][:])

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)  # or a full pipe would hold it, and the lock with it, when its parent was killed
            with open(writing, "wb") as pipe:
                pipe.write(b"".join(work()))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as told:
        try:
            mine = work()
            theirs = told.read()
        finally:
            told.close()
            os.close(queue)
            _pid, status = os.waitpid(child, 0)
    if status:  # done here again, so that it is this process that says what is wrong
        return _digests(root, waiting)
    size = hashlib.sha256().digest_size
    return mine + [theirs[at : at + size] for at in range(0, len(theirs), size)]


class LocalHost(Host):
    """The file system and processes of the machine this process runs on; how programs are run is for those who derive from it."""

    def euid(self) -> int:
        return os.geteuid()

    def machine(self) -> Tuple[str, int]:
        return os.uname().machine, struct.calcsize("P") * 8

    def connect(self, path: str) -> socket.socket:
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            found.settimeout(_ANSWERS_WITHIN)
            found.connect(path)
        except OSError:
            found.close()
            raise
        return found

    def stat(self, path: str) -> Optional[FileStat]:
        try:
            seen = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        kind, target = "other", ""
        if stat.S_ISLNK(seen.st_mode):
            kind, target = "link", os.readlink(path)
        elif stat.S_ISDIR(seen.st_mode):
            kind = "directory"
        elif stat.S_ISREG(seen.st_mode):
            kind = "file"
        return FileStat(kind, stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_size, target)

    def listing(self, path: str) -> List[str]:
        try:
            return sorted(os.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def real(self, path: str) -> str:
        return os.path.realpath(path)

    def tree(self, path: str) -> List[TreeEntry]:
        top = os.lstat(path)
        found = [TreeEntry(".", top.st_mode, top.st_uid, top.st_gid, top.st_size)]
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            for name, seen in _entries(path, prefix):
                found.append(TreeEntry(prefix + name, seen.st_mode, seen.st_uid, seen.st_gid, seen.st_size))
                if stat.S_ISDIR(seen.st_mode):
                    waiting.append(f"{prefix}{name}/")
        return found

    def tree_digest(self, path: str, without: str) -> str:
        top = os.lstat(path)
        digest, waiting = _directory_digest(path, "", without)
        digests = [digest]
        while waiting and (len(waiting) < _WORTH_SHARING or len(os.sched_getaffinity(0)) < 2):
            digest, directories = _directory_digest(path, waiting.pop(0))
            digests.append(digest)
            waiting += directories
        if waiting:
            digests += _shared_digests(path, waiting)
        whole = hashlib.sha256(_permissions(top.st_mode, top.st_uid, top.st_gid).encode())
        for digest in sorted(digests):
            whole.update(digest)
        return whole.hexdigest()

    def read(self, path: str, limit: int = 64 << 20) -> bytes:
        data = bytearray()
        with open(path, "rb", buffering=0) as source:
            piece = source.read(_PIECE)
            while piece and len(data) <= limit:
                data += piece
                piece = source.read(_PIECE)
        if len(data) > limit:
            raise GoHostError(f"file is larger than the {limit} bytes that can be expected of it", path)
        return bytes(data)

    def open(self, path: str) -> BinaryIO:
        return open(path, "rb")

    def open_new(self, path: str) -> BinaryIO:
        return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b")

    def create(self, path: str, mode: int, chunks: Iterable[bytes]) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(handle, view) :]
            os.fchmod(handle, mode)  # after the data, and past the umask
        finally:
            os.close(handle)

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(path, 0o700)
        os.chmod(path, mode)

    def symlink(self, target: str, path: str) -> None:
        os.symlink(target, path)

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target)

    def exchange(self, one: str, other: str) -> None:
        swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if swap is not None:
            if swap(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
                return
            code = ctypes.get_errno()
            if code not in (errno.EINVAL, errno.ENOSYS):
                raise OSError(code, os.strerror(code), one)
        aside = other + ".gohost-swap"
        os.rename(other, aside)
        os.rename(one, other)
        os.rename(aside, one)

    def remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except IsADirectoryError:
            os.rmdir(path)

    def remove_tree(self, path: str) -> None:
        shutil.rmtree(path)

    def sync(self, path: str) -> None:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
            return
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if syncfs(handle) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), path)
        finally:
            os.close(handle)

    def free_bytes(self, path: str) -> int:
        seen = os.statvfs(path)
        return (seen.f_bfree if os.geteuid() == 0 else seen.f_bavail) * seen.f_frsize

    def writable(self, path: str) -> bool:
        return os.access(path, os.W_OK | os.X_OK)

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        end = time.monotonic() + timeout
        handle, pause = -1, 0.002
        try:
            while handle < 0:
                handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # Who held it may have removed the directory meanwhile, and another may have made a new one.
                    held = os.fstat(handle).st_ino == os.stat(path).st_ino
                except BlockingIOError:
                    held = False
                if held:
                    break
                os.close(handle)
                handle = -1
                if time.monotonic() >= end:
                    raise GoHostError(f"another run holds this directory for more than {timeout:g} s", path, "Wait for it, or raise lock_timeout.")
                time.sleep(pause)
                pause = min(2 * pause, 0.1)
            yield
        finally:
            if handle >= 0:
                os.close(handle)

    def relabel(self, path: str) -> bool:
        if not os.path.exists("/sys/fs/selinux/enforce"):
            return False
        try:
            selinux = ctypes.CDLL("libselinux.so.1", use_errno=True)
        except OSError:
            raise GoHostError("SELinux is on but its library cannot be loaded", "libselinux.so.1", "Install the distribution's libselinux.") from None
        flags = _RESTORECON_IGNORE_DIGEST | _RESTORECON_RECURSE | _RESTORECON_XDEV | _RESTORECON_SKIP_DIGEST
        if selinux.selinux_restorecon(os.fsencode(path), ctypes.c_uint(flags)) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"SELinux labels: {os.strerror(code)}", path)
        return True

    def processes(self) -> List[Process]:
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    found.append(Process(int(name), os.readlink(f"/proc/{name}/exe")))
                except OSError:  # it ended, is a kernel thread, or is not ours to see
                    continue
        return found


_HINTS: Dict[int, str] = {
    errno.ENOSPC: "Free some space there, or choose another root.",
    errno.EDQUOT: "The quota is used up: free some space, or choose another root.",
    errno.EROFS: "The file system is read-only: remount it, or choose another path.",
    errno.ENOTDIR: "Something else stands there: move it away, or choose another path.",
    errno.EACCES: "This user may not: use become, or choose paths of this user's.",
    errno.EPERM: "This user may not: use become, or choose paths of this user's.",
}


def explained(error: OSError) -> GoHostError:
    """An operating system's error as one line: what failed, where, and what to do."""
    text = error.strerror or str(error)
    return GoHostError(text[:1].upper() + text[1:], error.filename, _HINTS.get(error.errno or 0))

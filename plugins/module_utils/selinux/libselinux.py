# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libselinux without its bindings: what a policy says of a path, and the walk of restorecon as a list.

From 2.9 to 3.11 the library reports a file whose label differs by one and the same four-part message (selinux_restorecon.c).
"""

import contextlib
import ctypes
import os
import re
import stat
import struct
from typing import Iterator, List, NamedTuple, Optional, Tuple

from ..errors import GoHostError

# <selinux/label.h>
_CTX_FILE = 0
_OPT_VALIDATE = 1
_OPT_PATH = 3
# <selinux/selinux.h>
_CB_LOG = 0
_CB_VALIDATE = 2
_ERROR = 0
# <selinux/restorecon.h>
_IGNORE_DIGEST = 0x0001
_NOCHANGE = 0x0002
_SET_SPECFILE_CTX = 0x0004  # all parts of the context, and customizable types too: what -F means to restorecon
_RECURSE = 0x0008
_VERBOSE = 0x0010
_XDEV = 0x0080
_IGNORE_NOENTRY = 0x1000
_IGNORE_MOUNTS = 0x2000
_SKIP_DIGEST = 0x8000

_DIFFERS = b"%s %s from %s to %s\n"
_NO_CONTEXT = b"<no context>"  # 3.5 and newer; NULL before
_WORDS = 6  # as many as any message of the library has, and those that a register or the caller's stack holds anyway

_Log = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, *[ctypes.c_void_p] * _WORDS, use_errno=True)
_Validate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_KEPT: List[object] = []  # the library may call these until the process ends, whoever has asked for them last


class _Option(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("value", ctypes.c_char_p)]


class Difference(NamedTuple):
    """A file whose label is not the policy's. old is "" where it has none."""

    path: str
    old: str
    new: str


class Complaint(NamedTuple):
    """What the library logged as an error; path is what it is about, or a word else."""

    path: str
    text: str


class Libselinux:
    """The library keeps policy, root and listener of its last user for the whole process: one call at a time."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libselinux.so.1", use_errno=True)
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._declare()
        except OSError:
            bits = struct.calcsize("P") * 8
            raise GoHostError(
                f"SELinux's library cannot be loaded by this {bits}-bit Python",
                "libselinux.so.1",
                f"Install the distribution's libselinux for {bits}-bit programs, or use the system's own Python.",
            ) from None
        except AttributeError as error:
            raise GoHostError("SELinux's library is too old", error, "libselinux 2.9 or newer is needed.") from None
        self._differences: List[Tuple[bytes, bytes, bytes]] = []
        self._complaints: List[Complaint] = []
        try:
            self._listener = _Log(self._listen)
            self._consent = _Validate(lambda context: 0)  # a context may be of a policy that is not loaded, or not yet
        except MemoryError:
            raise GoHostError("this process may not make functions for SELinux's library to call", "execmem", "Turn the boolean deny_execmem off.") from None
        _KEPT.extend([self._listener, self._consent])

    def _declare(self) -> None:
        library = self._library
        library.selabel_open.restype = ctypes.c_void_p
        library.selabel_open.argtypes = [ctypes.c_uint, ctypes.POINTER(_Option), ctypes.c_uint]
        library.selabel_close.restype = None
        library.selabel_close.argtypes = [ctypes.c_void_p]
        library.selabel_lookup_raw.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p, ctypes.c_int]
        library.freecon.restype = None
        library.freecon.argtypes = [ctypes.c_void_p]
        library.selinux_set_callback.restype = None
        library.selinux_set_policy_root.argtypes = [ctypes.c_char_p]
        library.selinux_restorecon_set_sehandle.restype = None
        library.selinux_restorecon_set_sehandle.argtypes = [ctypes.c_void_p]
        library.selinux_restorecon_set_alt_rootpath.argtypes = [ctypes.c_char_p]
        library.selinux_restorecon.argtypes = [ctypes.c_char_p, ctypes.c_uint]

    def _listen(self, kind: int, form: int, *words: Optional[int]) -> int:
        """Called by the library.

        Arguments of a variadic function stand where those of any other do on all of Linux's platforms, as long as none is a float.
        """
        message = ctypes.string_at(form)
        if message == _DIFFERS:
            _verb, path, old, new = [ctypes.string_at(word) if word else _NO_CONTEXT for word in words[:4]]
            self._differences.append((path, old, new))
        elif kind == _ERROR:
            room = ctypes.create_string_buffer(4096)
            self._libc.snprintf(room, ctypes.c_size_t(len(room)), message, *map(ctypes.c_void_p, words))
            about = ctypes.string_at(words[0]) if words[0] and re.match(rb"[^%]*%s", message) else b""
            self._complaints.append(Complaint(os.fsdecode(about), os.fsdecode(room.value).strip()))
        return 0

    def _open(self, specification: str, validate: bool = False) -> int:
        """A handle for a file_contexts and the files beside it (.homedirs, .local, .subs, .subs_dist)."""
        options = (_Option * 2)(_Option(_OPT_PATH, os.fsencode(specification)), _Option(_OPT_VALIDATE, b"1" if validate else None))
        self._complaints.clear()
        self._library.selinux_set_callback(_CB_LOG, self._listener)
        self._library.selinux_set_callback(_CB_VALIDATE, self._consent)
        handle = self._library.selabel_open(_CTX_FILE, options, len(options))
        if not handle:
            code = ctypes.get_errno()
            said = self._complaints[0].text if self._complaints else os.strerror(code)
            raise GoHostError(f"file contexts cannot be used ({said})", specification)
        return int(handle)

    @contextlib.contextmanager
    def policy(self, specification: str, validate: bool = False) -> Iterator[int]:
        handle = self._open(specification, validate)
        try:
            yield handle
        finally:
            self._library.selabel_close(handle)

    def lookup(self, policy: int, path: str, mode: int) -> Optional[str]:
        """The context of a path, None where the policy has no rule or says <<none>>. mode: st_mode."""
        found = ctypes.c_void_p()
        if self._library.selabel_lookup_raw(policy, ctypes.byref(found), os.fsencode(path), stat.S_IFMT(mode)) != 0:
            return None
        try:
            return os.fsdecode(ctypes.string_at(found.value or 0))
        finally:
            self._library.freecon(found)

    def compare(self, policy: str, specification: str, root: str, paths: List[str], force: bool) -> Tuple[List[Difference], List[Complaint]]:
        """All below these paths, on their own file system, whose labels differ; nothing is changed.

        policy: directory whose contexts/customizable_types counts; specification: file_contexts; root: "" or what stands before the paths that rules know.
        """
        library = self._library
        library.selinux_set_policy_root(os.fsencode(policy))
        library.selinux_restorecon_set_alt_rootpath(os.fsencode(root))
        library.selinux_restorecon_set_sehandle(self._open(specification))  # from now on the library's, to close or not
        flags = _NOCHANGE | _VERBOSE | _RECURSE | _XDEV | _IGNORE_NOENTRY | _IGNORE_DIGEST | _SKIP_DIGEST
        flags |= (_SET_SPECFILE_CTX if force else 0) | (_IGNORE_MOUNTS if root else 0)
        self._differences.clear()
        self._complaints.clear()
        for path in paths:
            # Not selinux_restorecon_parallel: each step of a walk and each message takes one lock. Two threads took up to a quarter off with libselinux 3.4
            # in a guest and nothing outside, and with 3.8, or on a busy machine, up to twice as long where there was something to report.
            status = library.selinux_restorecon(os.fsencode(path), flags)
            if status != 0 and not self._complaints:
                self._complaints.append(Complaint(path, f"{path}: {os.strerror(ctypes.get_errno())}"))
        named = [tuple(os.fsdecode(b"" if word == _NO_CONTEXT else word) for word in words) for words in self._differences]
        return [Difference(*words) for words in named], self._complaints[:]

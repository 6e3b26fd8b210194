# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy store: the only way to touch libsemanage. Rooms get one; tests give them another."""

import abc
import contextlib
import ctypes
import errno
import fcntl
import filecmp
import os
import tempfile
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, TypeVar, Union

from ..errors import GoHostError
from .model import (
    FTYPES,
    LOST,
    NONE,
    NOT_INSTALLED,
    NOT_LOADED,
    PROTOCOLS,
    Boolean,
    Context,
    Fcontext,
    ModuleKey,
    ModuleState,
    Place,
    PolicyModule,
    Port,
)
from .parse import has_levels, settings

_SELINUXFS = "/sys/fs/selinux"
_UPTIME = "/proc/uptime"
_LETTERS = {ftype.number: letter for letter, ftype in FTYPES.items()}
_PROTOCOLS = {number: name for name, number in PROTOCOLS.items()}
# Copied by a commit from the store's active directory to the policy's (libsemanage/src/semanage_store.c).
_INSTALLED = {
    "file_contexts": "contexts/files/file_contexts",
    "file_contexts.local": "contexts/files/file_contexts.local",
    "file_contexts.homedirs": "contexts/files/file_contexts.homedirs",
    "seusers": "seusers",
}
Committed = Union[Fcontext, Port, Boolean, PolicyModule, ModuleState]
_T = TypeVar("_T")


class StoreError(GoHostError):
    """libsemanage refused. said: all that it and the programs it runs wrote."""

    def __init__(self, what: str, value: Optional[object], said: str, hint: Optional[str] = None) -> None:
        self.said = said
        super().__init__(what, value, hint)


class _Busy(StoreError):
    """Another process holds a lock of the store."""


class PolicyStore(abc.ABC):
    """A store of local policy records. Reading waits for locks; writing is between begin and commit or abandon. Failing calls raise GoHostError."""

    @abc.abstractmethod
    def unfinished(self, reload: bool) -> str:
        """What a killed commit has left to do: LOST, NOT_INSTALLED, with reload NOT_LOADED, or "" for nothing. With LOST nothing else can be read."""

    @abc.abstractmethod
    def recover(self) -> None:
        """Give a store that is LOST the active directory that it had before."""

    @abc.abstractmethod
    def load(self) -> None:
        """Load the installed policy into the kernel."""

    @abc.abstractmethod
    def mls(self) -> bool:
        """Whether contexts of this policy have levels."""

    @abc.abstractmethod
    def fcontexts(self) -> List[Fcontext]:
        """Local rules in their order."""

    @abc.abstractmethod
    def ports(self) -> List[Port]:
        """Local port records."""

    @abc.abstractmethod
    def policy_ports(self) -> List[Port]:
        """All port records of the compiled policy."""

    @abc.abstractmethod
    def booleans(self) -> Dict[str, bool]:
        """Local values."""

    @abc.abstractmethod
    def policy_booleans(self) -> List[str]:
        """Names of all booleans of the compiled policy."""

    @abc.abstractmethod
    def modules(self) -> Dict[ModuleKey, bool]:
        """All modules at all priorities, and whether their names are enabled."""

    @abc.abstractmethod
    def cil(self, key: ModuleKey) -> str:
        """A module's text."""

    @abc.abstractmethod
    def active(self, names: Iterable[str]) -> Dict[str, bool]:
        """Those of these booleans that the running kernel knows, as they are now."""

    @abc.abstractmethod
    def activate(self, values: Mapping[str, bool]) -> None:
        """Set booleans of the running kernel, all at once."""

    @abc.abstractmethod
    def begin(self) -> None:
        """Start a transaction: what is read from now on is what nobody else changes."""

    @abc.abstractmethod
    def put(self, record: Committed) -> None:
        """Add a record, or replace the one of the same key."""

    @abc.abstractmethod
    def drop(self, record: Committed) -> None:
        """Remove a local record."""

    @abc.abstractmethod
    def commit(self, rebuild: bool, reload: bool) -> int:
        """Compile, install and with reload load; the number of the commit. rebuild: even where no record is changed."""

    @abc.abstractmethod
    def abandon(self) -> None:
        """End a transaction without a commit; nothing where there is none."""


class _Captured:
    """What C code in this process, and programs that it runs, write to standard output and error."""

    def __init__(self) -> None:
        self._handle, path = tempfile.mkstemp(prefix="gohost-")
        os.unlink(path)
        self._libc = ctypes.CDLL(None)

    @contextlib.contextmanager
    def all(self) -> Iterator[None]:
        saved = [os.dup(1), os.dup(2)]
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        try:
            for number in (1, 2):
                os.dup2(self._handle, number)
            yield
        finally:
            self._libc.fflush(None)
            for number, kept in zip((1, 2), saved):
                os.dup2(kept, number)
                os.close(kept)

    def text(self) -> str:
        return os.pread(self._handle, 1 << 20, 0).decode("utf-8", "replace")


def bindings() -> Any:
    """The distribution's Python module for libsemanage. Raises ImportError where this interpreter has none."""
    import semanage

    return semanage


class SemanageStore(PolicyStore):
    """A store through libsemanage's own Python bindings, 3.1 and newer; 2.9 (EL8) has the same functions, read in its source, not run.

    lock_timeout: seconds to wait for another process. One place per process: libsemanage keeps the paths of the first (semanage_store.c).
    """

    def __init__(self, place: Place, lock_timeout: float) -> None:
        self._place = place
        self._timeout = lock_timeout
        self._api = bindings()
        self._captured = _Captured()
        self._handle: Any = None

    # -- what is on the disk

    def unfinished(self, reload: bool) -> str:
        directory = self._place.directory
        with self._locked("read"):
            if not os.path.isdir(f"{directory}/active"):
                return LOST if os.path.isdir(f"{directory}/previous") else ""
            installed = self._installed_policy()
            if installed is None or not all(self._is_installed(name, path) for name, path in _INSTALLED.items()):
                return NOT_INSTALLED
        return NOT_LOADED if reload and self._place.running and installed and self._newer_than_loaded(installed) else ""

    def _installed_policy(self) -> Optional[str]:
        """The binary policy that is the store's; "" where the store has none, None where none of those installed is."""
        kernel, directory = f"{self._place.directory}/active/policy.kern", f"{self._place.policy}/policy"
        if not os.path.exists(kernel):  # a store that an old semanage_migrate_store has made; a commit compiles it
            return ""
        names = os.listdir(directory) if os.path.isdir(directory) else []
        return next((f"{directory}/{name}" for name in sorted(names, reverse=True) if filecmp.cmp(f"{directory}/{name}", kernel, shallow=False)), None)

    def _is_installed(self, name: str, path: str) -> bool:
        stored, installed = f"{self._place.directory}/active/{name}", f"{self._place.policy}/{path}"
        if not os.path.exists(stored) or (name.endswith(".homedirs") and not os.path.exists(installed)):  # disable-genhomedircon
            return True
        return os.path.exists(installed) and filecmp.cmp(installed, stored, shallow=False)

    @staticmethod
    def _newer_than_loaded(installed: str) -> bool:
        """Each load of a policy makes the inodes of its classes anew (security/selinux/selinuxfs.c). A policy older than the boot is the one loaded then."""
        written = os.stat(installed).st_mtime
        with open(_UPTIME) as uptime:
            booted = time.time() - float(uptime.read().split()[0])
        return booted < written <= time.time() and written > os.stat(f"{_SELINUXFS}/class/process/index").st_mtime

    def recover(self) -> None:
        directory = self._place.directory
        with self._locked("trans"), self._locked("read"):
            if not os.path.exists(f"{directory}/active"):
                os.rename(f"{directory}/previous", f"{directory}/active")

    @contextlib.contextmanager
    def _locked(self, kind: str) -> Iterator[None]:
        """Hold one of libsemanage's locks, "read" or "trans"; it waits 5 s for them itself, since 3.10 for ever, and has no function to change that."""
        path = f"{self._place.directory}/semanage.{kind}.LOCK"
        end = time.monotonic() + self._timeout
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield
            return
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise self._busy(path) from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(handle)

    def _busy(self, path: str) -> _Busy:
        return _Busy(f"another process holds the policy store for more than {self._timeout:g} s", path, "", "Wait for it, or raise lock_timeout.")

    def _patiently(self, kind: str, work: Callable[[], _T]) -> _T:
        end = time.monotonic() + self._timeout
        while True:
            with self._locked(kind):
                pass
            try:
                return work()
            except _Busy:
                if time.monotonic() >= end:
                    raise

    # -- libsemanage

    def _call(self, function: str, *arguments: Any) -> Any:
        """A function of the library: what it returns besides its status. Older bindings return a negative status, newer ones raise OSError."""
        code = 0
        with self._captured.all():
            try:
                result = getattr(self._api, function)(*arguments)
            except OSError as error:
                result, code = -1, error.errno or 0
        status, *more = result if isinstance(result, (list, tuple)) else [result]
        if isinstance(status, int) and status < 0:
            said = self._captured.text()
            if "lock at" in said or "active lock" in said:
                raise self._busy(self._place.directory)
            reason = " | ".join(said.split("\n")[:3]).strip(" |") or (os.strerror(code) if code else "")
            hint = "This user may not: use become." if code in (errno.EACCES, errno.EPERM) else None
            raise StoreError(f"libsemanage: {function} failed", reason or self._place.store, said, hint)
        return (more[0] if len(more) == 1 else more) if more else status

    def _connection(self) -> Any:
        if self._handle is None:
            api, place = self._api, self._place
            if place.root != "/":
                self._call("semanage_set_root", place.root.rstrip("/"))
            handle = api.semanage_handle_create()
            api.semanage_select_store(handle, place.store, api.SEMANAGE_CON_DIRECT)
            with self._captured.all():
                managed = api.semanage_is_managed(handle)
                access = api.semanage_access_check(handle) if managed == 1 else -1
            if managed != 1:
                raise GoHostError("there is no policy store here", place.directory, "Install the distribution's policy, or name another store.")
            if access < api.SEMANAGE_CAN_READ:
                raise GoHostError("the policy store cannot be read by this user", place.directory, "Use become.")
            self._call("semanage_connect", handle)
            self._handle = handle
        return self._handle

    def _listed(self, function: str) -> List[Any]:
        handle = self._connection()
        records: List[Any] = self._patiently("read", lambda: self._call(function, handle))
        return records if isinstance(records, (list, tuple)) else []

    def _context(self, found: Any) -> Optional[Context]:
        api = self._api
        if found is None:
            return None
        return Context(
            api.semanage_context_get_user(found),
            api.semanage_context_get_role(found),
            api.semanage_context_get_type(found),
            api.semanage_context_get_mls(found) or "",
        )

    def mls(self) -> bool:
        self._connection()
        with contextlib.suppress(FileNotFoundError), open(self._place.stored_file_contexts, encoding="utf-8", errors="replace") as source:
            seen = has_levels(source.read(4096).rpartition("\n")[0])
            if seen is not None:
                return seen
        # The library reads the whole binary policy to know: a tenth of a second, in an emulated guest two.
        return bool(self._call("semanage_mls_enabled", self._connection()))

    def fcontexts(self) -> List[Fcontext]:
        api, found = self._api, []
        for record in self._listed("semanage_fcontext_list_local"):
            context = self._context(api.semanage_fcontext_get_con(record)) or Context("", "", NONE)
            letter = _LETTERS[api.semanage_fcontext_get_type(record)]
            found.append(Fcontext(api.semanage_fcontext_get_expr(record), letter, context.type, context.user, context.level))
        return found

    def ports(self) -> List[Port]:
        return self._ports("semanage_port_list_local")

    def policy_ports(self) -> List[Port]:
        return self._ports("semanage_port_list")

    def _ports(self, function: str) -> List[Port]:
        api, found = self._api, []
        for record in self._listed(function):
            context = self._context(api.semanage_port_get_con(record)) or Context("", "", "")
            proto = _PROTOCOLS.get(api.semanage_port_get_proto(record), "")
            found.append(Port(proto, api.semanage_port_get_low(record), api.semanage_port_get_high(record), context.type, context.level))
        return found

    def booleans(self) -> Dict[str, bool]:
        api = self._api
        return {api.semanage_bool_get_name(record): bool(api.semanage_bool_get_value(record)) for record in self._listed("semanage_bool_list_local")}

    def policy_booleans(self) -> List[str]:
        return [self._api.semanage_bool_get_name(record) for record in self._listed("semanage_bool_list")]

    def modules(self) -> Dict[ModuleKey, bool]:
        api, handle = self._api, self._connection()
        first, count = self._patiently("read", lambda: self._call("semanage_module_list_all", handle))
        found = {}
        for number in range(count):
            module = api.semanage_module_list_nth(first, number)
            # Hundreds of modules: these three say nothing worth catching.
            key = (api.semanage_module_info_get_name(handle, module)[1], api.semanage_module_info_get_priority(handle, module)[1])
            found[key] = bool(api.semanage_module_info_get_enabled(handle, module)[1])
        return found

    def _module_key(self, key: ModuleKey) -> Any:
        handle = self._connection()
        made = self._call("semanage_module_key_create", handle)
        self._call("semanage_module_key_set_name", handle, made, key[0])
        self._call("semanage_module_key_set_priority", handle, made, key[1])
        return made

    def cil(self, key: ModuleKey) -> str:
        handle, wanted = self._connection(), self._module_key(key)
        text: str = self._patiently("read", lambda: self._call("semanage_module_extract", handle, wanted, 1))[0]
        return text

    def active(self, names: Iterable[str]) -> Dict[str, bool]:
        found = {}
        for name in names:
            try:
                with open(f"{_SELINUXFS}/booleans/{name}") as source:
                    found[name] = source.read().split()[0] == "1"
            except FileNotFoundError:
                continue
        return found

    def activate(self, values: Mapping[str, bool]) -> None:
        for name, state in values.items():
            _write(f"{_SELINUXFS}/booleans/{name}", str(int(state)))
        _write(f"{_SELINUXFS}/commit_pending_bools", "1")

    def begin(self) -> None:
        handle = self._connection()
        self._patiently("trans", lambda: self._call("semanage_begin_transaction", handle))

    def put(self, record: Committed) -> None:
        api, handle = self._api, self._connection()
        if isinstance(record, Fcontext):
            self._put_fcontext(record)
        elif isinstance(record, Port):
            made = self._call("semanage_port_create", handle)
            api.semanage_port_set_proto(made, PROTOCOLS[record.proto])
            api.semanage_port_set_range(made, record.low, record.high)
            self._call("semanage_port_set_con", handle, made, self._new_context(Context("system_u", "object_r", record.setype, record.selevel)))
            self._call("semanage_port_modify_local", handle, self._key(record), made)
        elif isinstance(record, Boolean):
            made = self._call("semanage_bool_create", handle)
            self._call("semanage_bool_set_name", handle, made, record.name)
            api.semanage_bool_set_value(made, int(record.state))
            self._call("semanage_bool_modify_local", handle, self._key(record), made)
        elif isinstance(record, PolicyModule):
            self._call("semanage_set_default_priority", handle, record.priority)
            self._call("semanage_module_install", handle, record.cil, len(record.cil.encode()), record.name, "cil")
        else:
            self._call("semanage_module_set_enabled", handle, self._module_key((record.name, 400)), int(record.enabled))

    def _put_fcontext(self, record: Fcontext) -> None:
        api, handle = self._api, self._connection()
        made = self._call("semanage_fcontext_create", handle)
        self._call("semanage_fcontext_set_expr", handle, made, record.target)
        api.semanage_fcontext_set_type(made, FTYPES[record.ftype].number)
        if record.setype != NONE:
            self._call("semanage_fcontext_set_con", handle, made, self._new_context(Context(record.seuser, "object_r", record.setype, record.selevel)))
        self._call("semanage_fcontext_modify_local", handle, self._key(record), made)

    def drop(self, record: Committed) -> None:
        handle = self._connection()
        if isinstance(record, PolicyModule):
            self._call("semanage_module_remove_key", handle, self._module_key((record.name, record.priority)))
        elif not isinstance(record, ModuleState):
            kind = {Fcontext: "fcontext", Port: "port", Boolean: "bool"}[type(record)]
            self._call(f"semanage_{kind}_del_local", handle, self._key(record))

    def _key(self, record: Union[Fcontext, Port, Boolean]) -> Any:
        handle = self._connection()
        if isinstance(record, Fcontext):
            return self._call("semanage_fcontext_key_create", handle, record.target, FTYPES[record.ftype].number)
        if isinstance(record, Port):
            return self._call("semanage_port_key_create", handle, record.low, record.high, PROTOCOLS[record.proto])
        return self._call("semanage_bool_key_create", handle, record.name)

    def _new_context(self, context: Context) -> Any:
        handle = self._connection()
        made = self._call("semanage_context_create", handle)
        for part, value in zip(("user", "role", "type", "mls"), context):
            if value:
                self._call(f"semanage_context_set_{part}", handle, made, value)
        return made

    def commit(self, rebuild: bool, reload: bool) -> int:
        handle = self._connection()
        self._api.semanage_set_rebuild(handle, int(rebuild))
        self._api.semanage_set_reload(handle, int(reload and self._place.running))
        with self._locked("read"):
            pass
        number: int = self._call("semanage_commit", handle)
        return number

    def load(self) -> None:
        handle = self._connection()
        self._call("semanage_reload_policy", handle)

    def abandon(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._call("semanage_disconnect", handle)
            self._api.semanage_handle_destroy(handle)


def _write(path: str, text: str) -> None:
    with open(path, "w") as target:
        target.write(text)


def store_directory(root: str, store: str, semanage_conf: str) -> str:
    """Where libsemanage keeps a store: semanage.conf's store-root, below the root."""
    top: Tuple[str, str] = (root.rstrip("/"), settings(semanage_conf).get("store-root", "/var/lib/selinux"))
    return f"{top[0]}{top[1].rstrip('/')}/{store}"

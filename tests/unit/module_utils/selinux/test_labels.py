# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real library over a small system below a directory: any kernel without SELinux keeps the attribute for root."""

import ctypes
import gc
import os
import tempfile
from pathlib import Path
from typing import Any, Dict, List, NoReturn, Optional, Sequence

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux import labels as room
from ansible_collections.gohost.linux.plugins.module_utils.selinux.labels import INSTALLED, Change, Labels, LocalLabels, Relabel, Rules, merged
from ansible_collections.gohost.linux.plugins.module_utils.selinux.libselinux import Complaint
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import NONE, Equivalence, Fcontext
from tests.fakes.labels import FakeLabels


def why_not() -> str:
    """Why the library cannot be tried here, if so."""
    if os.path.exists("/sys/fs/selinux/enforce"):
        return "SELinux is on here: what this machine's policy says is tested in virtual machines"
    try:
        ctypes.CDLL("libselinux.so.1")
        with tempfile.NamedTemporaryFile() as file:
            os.setxattr(file.name, "security.selinux", b"a:b:c\0")
    except OSError as error:
        return f"needs libselinux, and a user who may set labels: {error}"
    return ""


REASON = why_not()
real = pytest.mark.skipif(bool(REASON), reason=REASON)
S = "system_u:object_r:"
POLICY = f"""\
/.*\t{S}default_t:s0
/dev/.*\t<<none>>
/opt/.*\t{S}usr_t:s0
/opt/(.*/)?bin(/.*)?\t{S}bin_t:s0
/opt\t-d\t{S}usr_t:s0
/srv/exact\t{S}exact_t:s0
"""
HOMES = f"/home/[^/]+/.*\t{S}user_home_t:s0\n"
SUBS_DIST = "/usr/local/lib /usr/lib\n/run /var/run\n"
CUSTOMIZABLE = "container_file_t\n"


class System:
    """A system below a directory, with a policy, and no label on anything."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.labels = LocalLabels(root)
        self.write("/etc/selinux/config", "# SELINUXTYPE=other\nSELINUX=enforcing\nSELINUXTYPE=tiny\n")
        self.write("/etc/selinux/tiny/contexts/customizable_types", CUSTOMIZABLE)
        self.policy("", POLICY)
        self.policy(".homedirs", HOMES)
        self.policy(".subs_dist", SUBS_DIST)

    def policy(self, suffix: str, text: str) -> None:
        self.write(f"/etc/selinux/tiny/contexts/files/file_contexts{suffix}", text)

    def write(self, path: str, text: str = "") -> None:
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as target:
            target.write(text)

    def label(self, path: str, context: str) -> None:
        os.setxattr(self.root + path, "security.selinux", os.fsencode(context) + b"\0", follow_symlinks=False)

    def read(self, path: str) -> Optional[str]:
        try:
            return os.getxattr(self.root + path, "security.selinux", follow_symlinks=False).decode()
        except OSError:
            return None

    def wrong(self, *paths: str, rules: Rules = INSTALLED, force: bool = False) -> Dict[str, str]:
        return self.shown(self.labels.wrong(paths, rules, force))

    def affected(self, change: Change, rules: Rules = INSTALLED) -> Dict[str, str]:
        return self.shown(self.labels.affected(change, rules))

    def shown(self, found: Sequence[Relabel]) -> Dict[str, str]:
        """Path inside the system → new context, in short."""
        assert [each.path for each in found] == sorted({each.path for each in found})
        return {each.path[len(self.root) :]: each.new.replace(S, "").replace(":s0", "") for each in found}


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(os.path.realpath(str(tmp_path / "root")))


@real
def test_what_is_listed_is_what_is_set(system: System) -> None:
    system.write("/opt/go/bin/go")
    system.write("/opt/go/VERSION")
    system.label("/opt/go/VERSION", f"{S}tmp_t:s0")
    found = system.labels.wrong(["/opt"])
    assert found == [
        Relabel(f"{system.root}/opt", "", f"{S}usr_t:s0"),
        Relabel(f"{system.root}/opt/go", "", f"{S}usr_t:s0"),
        Relabel(f"{system.root}/opt/go/VERSION", f"{S}tmp_t:s0", f"{S}usr_t:s0"),
        Relabel(f"{system.root}/opt/go/bin", "", f"{S}bin_t:s0"),
        Relabel(f"{system.root}/opt/go/bin/go", "", f"{S}bin_t:s0"),
    ]
    assert system.read("/opt/go/bin/go") is None
    system.labels.apply(found[2:])
    assert system.labels.wrong(["/opt"]) == found[:2]
    assert system.read("/opt/go/bin/go") == f"{S}bin_t:s0\0"


@real
def test_only_the_type_counts_unless_forced(system: System) -> None:
    for name, context in {
        "user": "staff_u:object_r:usr_t:s0",
        "level": f"{S}usr_t:s0:c1",
        "type": "staff_u:object_r:tmp_t:s0:c1",
        "custom": f"{S}container_file_t:s0",
        "right": f"{S}usr_t:s0",
    }.items():
        system.write(f"/opt/x/{name}")
        system.label(f"/opt/x/{name}", context)
    system.label("/opt/x", f"{S}usr_t:s0")
    assert system.wrong("/opt/x") == {"/opt/x/type": "staff_u:object_r:usr_t:c1"}
    assert system.wrong("/opt/x", force=True) == dict.fromkeys(["/opt/x/custom", "/opt/x/level", "/opt/x/type", "/opt/x/user"], "usr_t")


@real
def test_rules_that_are_not_installed_count(system: System) -> None:
    for path in ("/srv/exact", "/srv/app/bin/app", "/home/ci/go/x", "/opt/alias/bin/tool", "/opt/go/x", "/dev/null"):
        system.write(path)
    before = system.wrong("/srv", "/home/ci/go", "/opt/alias", "/opt/go", "/dev/null")
    assert before == {
        "/home/ci/go": "user_home_t",
        "/home/ci/go/x": "user_home_t",
        "/opt/alias": "usr_t",
        "/opt/alias/bin": "bin_t",
        "/opt/alias/bin/tool": "bin_t",
        "/opt/go": "usr_t",
        "/opt/go/x": "usr_t",
        "/srv": "default_t",
        "/srv/app": "default_t",
        "/srv/app/bin": "default_t",
        "/srv/app/bin/app": "default_t",
        "/srv/exact": "exact_t",
    }
    system.policy(".local", f"/srv/app(/.*)? {S}app_t:s0\n")
    local = f"""\
/srv/.* {S}srv_t:s0
/srv/app(/.*)? {S}app_t:s0
/srv/app/bin/.* -- {S}app_exec_t:s0
/home/ci/go(/.*)? {S}cache_t:s0
/opt/go/x <<none>>
"""
    after = system.wrong("/srv", "/home/ci/go", "/opt/alias", "/opt/go", rules=Rules(local=local, subs="/opt/alias /srv/app\n"))
    assert after == {
        "/home/ci/go": "cache_t",
        "/home/ci/go/x": "cache_t",
        "/opt/alias": "app_t",
        "/opt/alias/bin": "app_t",
        "/opt/alias/bin/tool": "app_exec_t",
        "/opt/go": "usr_t",
        "/srv": "default_t",
        "/srv/app": "app_t",
        "/srv/app/bin": "app_t",
        "/srv/app/bin/app": "app_exec_t",
        "/srv/exact": "exact_t",  # a plain path, before every expression
    }
    assert system.wrong("/srv/app", rules=Rules(local="")) == {path: "default_t" for path in before if path.startswith("/srv/app")}
    assert system.wrong("/srv/app") == {path: "app_t" for path in before if path.startswith("/srv/app")}
    assert set(system.wrong("/srv/app", rules=Rules(policy=f"/srv.* {S}other_t:s0\n", local="")).values()) == {"other_t"}


@real
def test_nothing_private_is_left(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "private").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "private"))
    system.write("/opt/x")
    assert system.wrong("/opt/x", rules=Rules(local="", subs=""))
    with pytest.raises(GoHostError):
        system.wrong("/opt/x", rules=Rules(policy="/one/field\n"))
    assert os.listdir(str(tmp_path / "private")) == []


@real
@pytest.mark.parametrize("name", ["line\nend", " from a to b", "%s %n %d", "\\x", "ünïcode", os.fsdecode(b"\xff\xfe")])
def test_any_name_is_exact(system: System, name: str) -> None:
    system.write("/opt/x/plain")
    os.rename(f"{system.root}/opt/x/plain", f"{system.root}/opt/x/{name}")
    system.label("/opt/x", f"{S}usr_t:s0")
    found = system.labels.wrong(["/opt/x"])
    assert found == [Relabel(f"{system.root}/opt/x/{name}", "", f"{S}usr_t:s0")]
    system.labels.apply(found)
    assert system.labels.wrong(["/opt/x"]) == []


@real
def test_several_threads_lose_nothing(system: System) -> None:
    paths = [f"/opt/many/{number % 37}/{number}" for number in range(3000)]
    for path in paths:
        system.write(path)
    assert set(paths) < set(system.wrong("/opt/many"))
    system.labels.apply(system.labels.wrong(["/opt/many"]))
    for path in paths[::3]:
        system.label(path, f"{S}tmp_t:s0")
    assert system.wrong("/opt/many") == dict.fromkeys(paths[::3], "usr_t")


@real
def test_links_are_followed_as_the_system_below_the_root_does(system: System, tmp_path: Path) -> None:
    system.write("/opt/go/1.27/x")
    system.write("/var/run/app")
    os.symlink("/opt/go/1.27", f"{system.root}/opt/current")
    os.symlink("../../opt", f"{system.root}/var/run/up")
    os.symlink("/var/run", f"{system.root}/run")
    assert system.wrong("/opt/current") == {"/opt/current": "usr_t"}
    assert system.wrong("/opt/current/") == {"/opt/current": "usr_t"}
    assert system.wrong("/opt/current/x", "/run/up/./go/1.27/../1.27/x") == {"/opt/go/1.27/x": "usr_t"}
    assert system.wrong("/run/app") == {"/var/run/app": "default_t"}
    os.symlink("loop/x", f"{system.root}/loop")
    with pytest.raises(GoHostError, match="too many links: /loop/x/y"):
        system.wrong("/loop/x/y")


@real
def test_each_file_once_and_what_is_not_there_never(system: System) -> None:
    system.write("/opt/go/bin/go")
    assert system.wrong("/opt/go", "/opt/go/bin", "/opt/go/bin/go", "/opt/none", "/none/at/all") == {
        "/opt/go": "usr_t",
        "/opt/go/bin": "bin_t",
        "/opt/go/bin/go": "bin_t",
    }
    assert system.wrong("/opt/none") == system.wrong() == {}


@real
@pytest.mark.parametrize("path", ["/proc", "/proc/1/attr", "/sys/fs/cgroup", "//proc/../sys"])
def test_the_kernel_s_own_files_are_refused(system: System, path: str) -> None:
    with pytest.raises(GoHostError, match="the kernel's"):
        system.wrong("/opt", path)


@real
def test_a_relative_path_is_refused(system: System) -> None:
    with pytest.raises(GoHostError, match="must be absolute: opt"):
        system.wrong("opt")


TREE = [
    "/opt/go/1.27/bin/go",
    "/opt/go/1.27/src/x.go",
    "/opt/gopher/bin/x",
    "/opt/other/x",
    "/srv/data/a/1",
    "/srv/data/b/1",
    "/usr/lib/app/x",
    "/usr/local/lib/app/x",
    "/img/lib/app/x",
    "/plain",
]


@real
@pytest.mark.parametrize(
    ("change", "local", "subs", "expected"),
    [
        (Change([Fcontext("/opt/go(/.*)?")]), "", "", ["/opt/go", "/opt/go/1.27", "/opt/go/1.27/bin", *TREE[:2], "/opt/go/1.27/src"]),
        (Change([Fcontext("/opt/go/[^/]+/bin/go", "f")]), "", "", TREE[:1]),
        (Change([Fcontext("/opt/go/[^/]+/bin", "f")]), "", "", []),
        (Change([Fcontext("/opt/go/[^/]+/(bin|src)", "d")]), "", "", ["/opt/go/1.27/bin", "/opt/go/1.27/src"]),
        (Change([Fcontext("/opt/goph?er/.*", setype=NONE)]), "", "", ["/opt/gopher/bin", "/opt/gopher/bin/x"]),
        (Change([Fcontext("(/srv)?/data/./1", "f")]), "", "", ["/srv/data/a/1", "/srv/data/b/1"]),  # no stem: all of the root's file system
        (Change([Fcontext("/srv/data/(a|c)(/.*)?")]), "", "", ["/srv/data/a", "/srv/data/a/1"]),
        (Change([Fcontext("/pla.*")]), "", "", ["/plain"]),
        (Change([Fcontext("/none(/.*)?")]), "", "", []),
        (Change(), "", "", []),
        # through equivalences: the distribution's, and the administrator's to it
        (Change([Fcontext("/usr/lib/app/x", "f")]), "", "", ["/usr/lib/app/x", "/usr/local/lib/app/x"]),
        (Change([Fcontext("/usr/lib/app/x")]), "", "/img /usr/local\n", ["/img/lib/app/x", "/usr/lib/app/x", "/usr/local/lib/app/x"]),
        (Change([], [Equivalence("/img", "/usr")]), "", "/img /usr\n", ["/img", "/img/lib", "/img/lib/app", "/img/lib/app/x"]),
        (Change([], [Equivalence("/none", "/usr")]), "", "/none /usr\n", []),
    ],
)
def test_affected(system: System, change: Change, local: str, subs: str, expected: List[str]) -> None:
    for path in TREE:
        system.write(path)
    assert sorted(system.affected(change, Rules(local=local, subs=subs or None))) == sorted(expected)


@real
def test_affected_by_a_rule_that_goes(system: System) -> None:
    system.write("/srv/data/x")
    system.policy(".local", f"/srv/data(/.*)? {S}data_t:s0\n")
    system.labels.apply(system.labels.wrong(["/srv/data"]))
    change = Change([Fcontext("/srv/data(/.*)?", "a", "data_t")])
    assert system.affected(change) == {}
    assert system.affected(change, Rules(local="")) == {"/srv/data": "default_t", "/srv/data/x": "default_t"}


@real
def test_apply_goes_through_no_link_and_past_what_is_gone(system: System, tmp_path: Path) -> None:
    for path in ("/opt/a/x", "/opt/b/x", "/opt/c/x", "/opt/d"):
        system.write(path)
    os.makedirs(f"{system.root}/opt/sub")
    todo = system.labels.wrong(["/opt"])
    os.rename(f"{system.root}/opt/a", f"{system.root}/elsewhere")
    os.symlink("/elsewhere", f"{system.root}/opt/a")  # leads nowhere, outside of the root
    os.rename(f"{system.root}/opt/b", f"{system.root}/stolen")
    os.symlink("../stolen", f"{system.root}/opt/b")
    os.remove(f"{system.root}/opt/c/x")
    with pytest.raises(
        GoHostError, match=rf"^1 of {len(todo)} labels could not be set, the first to {S}usr_t:s0 \(.+\): {system.root}/opt/b/x\. A link stands"
    ):
        system.labels.apply(todo)
    assert system.read("/stolen/x") is None
    assert system.read("/opt/d") == f"{S}usr_t:s0\0"


@real
def test_a_target_that_is_no_expression(system: System) -> None:
    system.labels.check([])
    system.labels.check([Fcontext("/opt/go(/.*)?"), Fcontext("/opt/x", setype=NONE)])
    with pytest.raises(GoHostError, match=r"^libselinux cannot use this as a regular expression \(.*missing.*[^)]\): /opt/go\(/\.\*\?$"):
        system.labels.check([Fcontext("/opt/x"), Fcontext("/opt/go(/.*?")])


@real
def test_a_system_without_a_policy(system: System) -> None:
    system.write("/opt/x")
    with pytest.raises(GoHostError, match=r"no SELinux policy to label files by: .*/etc/selinux/other/contexts/files/file_contexts\. Install"):
        LocalLabels(system.root, "other").wrong(["/opt"])
    system.write("/etc/selinux/config")
    with pytest.raises(GoHostError, match="/etc/selinux/targeted/"):
        system.wrong("/opt")


@real
def test_a_running_system_without_selinux_has_no_labels() -> None:
    labels = LocalLabels()
    assert not labels.enabled()
    assert labels.wrong(["/etc"], force=True) == []
    assert labels.affected(Change([Fcontext("/etc/.*")])) == []


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: Optional[str], **more: Any) -> NoReturn:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    system = System(os.path.realpath(str(tmp_path)))
    system.write("/opt/x")
    with pytest.raises(GoHostError, match=r"cannot be loaded by this (32|64)-bit Python: libselinux\.so\.1\. Install the distribution's libselinux for \1-bit"):
        system.wrong("/opt")
    with pytest.raises(GoHostError, match="cannot be loaded"):
        system.labels.check([Fcontext("/opt/x")])
    system.labels.check([])
    assert system.wrong("/none") == {}, "nothing to do needs no library"


@real
def test_an_old_library(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def __init__(self, name: Optional[str], **more: Any) -> None:
            self.selabel_open = type("Function", (), {})()

    monkeypatch.setattr(ctypes, "CDLL", Old)
    system.write("/opt/x")
    with pytest.raises(GoHostError, match="too old: .*selabel_close.*2.9 or newer"):
        system.wrong("/opt")


@pytest.mark.parametrize(
    ("path", "passed"),
    [("/none/at/all", True), ("/proc", True), ("/", True), ("/etc", False), ("filespec_add", False), ("", False)],
)
def test_errors_that_do_not_count(path: str, passed: bool) -> None:
    assert room._passed_over(Complaint(path, "Could not stat it")) is passed


def test_merged() -> None:
    one, other = Relabel("/a", "", "x"), Relabel("/b", "", "x")
    assert merged([other], [one, other], []) == [one, other]


@real
def test_the_fake_answers_as_the_library(system: System) -> None:
    files = {
        "/srv": f"{S}default_t:s0",
        "/srv/app": f"{S}tmp_t:s0",
        "/srv/app/bin": "staff_u:object_r:tmp_t:s0",
        "/srv/app/bin/app": f"{S}container_file_t:s0",
        "/srv/app/data": "staff_u:object_r:data_t:s0",
        "/srv/exact": f"{S}tmp_t:s0",
        "/opt": f"{S}tmp_t:s0",
        "/opt/alias": f"{S}tmp_t:s0",
        "/opt/alias/bin": f"{S}tmp_t:s0",
        "/opt/alias/bin/tool": f"{S}tmp_t:s0",
    }
    for path in ("/srv/app/bin/app", "/srv/app/data", "/srv/exact", "/opt/alias/bin/tool"):
        system.write(path)
    for path, context in files.items():
        system.label(path, context)
    fake = FakeLabels(dict(files), lambda: Rules(POLICY, "", ""), [CUSTOMIZABLE.strip()])
    local = f"/srv/app(/.*)? {S}data_t:s0\n/srv/app/bin/[^/]+ -- {S}app_exec_t:s0\n/srv/.* {S}srv_t:s0\n/srv/app/bin -d <<none>>\n"

    def both(labels: Labels, prefix: str) -> List[List[Relabel]]:
        found = []
        for rules in (INSTALLED, Rules(local=local), Rules(local=local, subs="/opt/alias /srv/app\n"), Rules(subs="/opt/alias /srv/app\n")):
            for force in (False, True):
                change = Change([Fcontext("/srv/app/bin/.*", "f"), Fcontext("/srv/exact")], [Equivalence("/opt/alias", "/srv/app")])
                found += [labels.wrong(["/srv", "/opt/alias"], rules, force), labels.affected(change, rules, force)]
        return [[each._replace(path=each.path[len(prefix) :]) for each in part] for part in found]

    answers = both(system.labels, system.root)
    assert both(fake, "") == answers
    assert len({len(answer) for answer in answers}) > 3, "the cases differ"
    fake.apply(answers[0])
    assert fake.wrong(["/srv", "/opt/alias"]) == []
    assert fake.applied == answers[0]


@real
def test_who_calls_the_library_later_meets_no_freed_listener(system: System) -> None:
    """The bindings of libsemanage and libselinux use it in the same process."""
    system.write("/opt/x")
    assert system.wrong("/opt/x")
    system.labels = LocalLabels("/")
    gc.collect()
    library = ctypes.CDLL("libselinux.so.1")
    library.selinux_restorecon.argtypes = [ctypes.c_char_p, ctypes.c_uint]
    assert library.selinux_restorecon(os.fsencode(f"{system.root}/opt/none"), 0) == -1  # which it logs

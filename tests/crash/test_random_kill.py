# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at random moments of installs, switches, repairs and prunes of a real Go."""

import hashlib
import io
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.toolchain import archive
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Candidate, arch_of, archive_name, module_version
from tests.fakes.host import RealHost
from tests.fakes.store import Store

OLD, NEW = "1.26.11", "1.27.4"
KILLS = 20
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "gohost.linux", "tests")
ARCH = arch_of(*RealHost().machine())

pytestmark = pytest.mark.long


def module_zip(version: str) -> pathlib.Path:
    """The real zip, by GOPROXY; kept, for it is some 72 MB."""
    path = CACHE / f"{module_version(version, ARCH)}.zip"
    if not path.exists():
        if shutil.which("go") is None and "GOPROXY" not in os.environ:
            pytest.skip("no GOPROXY in the environment and no go that knows one")
        proxies = os.environ.get("GOPROXY") or subprocess.run(["go", "env", "GOPROXY"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        proxy = proxies.replace("|", ",").partition(",")[0].rstrip("/")
        if not proxy.startswith("http"):
            pytest.skip(f"GOPROXY is {proxy or 'empty'}")
        CACHE.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        with urllib.request.urlopen(f"{proxy}/golang.org/toolchain/@v/{path.name}", timeout=60) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        part.rename(path)
    return path


def official(version: str) -> pathlib.Path:
    """The same files as an official archive has them; repacked once."""
    path = CACHE / archive_name(version, ARCH)
    if not path.exists():
        part = path.with_name(f"{path.name}.{os.getpid()}")
        prefix = f"golang.org/toolchain@{module_version(version, ARCH)}/"
        with zipfile.ZipFile(module_zip(version)) as source, tarfile.open(part, "w:gz", compresslevel=1) as target:
            for entry in source.infolist():
                name = entry.filename[len(prefix) :]
                directory, slash, base = name.rpartition("/")
                info = tarfile.TarInfo(f"go/{directory}{slash}{'go.mod' if base == '_go.mod' else base}")
                info.size, info.mode = entry.file_size, 0o755 if name.startswith(("bin/", "pkg/tool/")) else 0o644
                target.addfile(info, io.BytesIO(source.read(entry)))
        part.rename(path)
    return path


@pytest.fixture(scope="module")
def candidates() -> dict[str, Sequence[Candidate]]:
    """One of each kind."""
    packed, zipped = official(OLD), module_zip(NEW)
    with zipped.open("rb") as source:
        h1 = archive.digest(source, "zip", f"golang.org/toolchain@{module_version(NEW, ARCH)}/")
    sha256 = "sha256:" + hashlib.sha256(packed.read_bytes()).hexdigest()
    return {
        OLD: [Candidate("file", 0, "tar.gz", "", str(packed), (sha256,), "user", "always")],
        NEW: [Candidate("file", 0, "zip", "", str(zipped), (h1,), "user", "always")],
    }


@pytest.fixture
def store(tmp_path: pathlib.Path, candidates: dict[str, Sequence[Candidate]]) -> Iterator[Store]:
    for version, (candidate,) in candidates.items():
        name = tmp_path / os.path.basename(candidate.path)
        name.symlink_to(candidate.path)  # a store knows only what lies below its directory
        candidates = dict(candidates, **{version: [candidate._replace(path=str(name))]})
    made = Store(str(tmp_path))
    made.candidates = lambda *versions, form="": {version: candidates[version] for version in versions}  # type: ignore[method-assign]
    yield made
    shutil.rmtree(made.machine)


class Step(NamedTuple):
    """A call that is killed. prepare makes the state before it; working: what `go` may say it is afterwards."""

    name: str
    prepare: Callable[[Store], object]
    version: str
    wish: dict[str, Any]
    working: tuple[str, ...]


def both(store: Store) -> None:
    store.run(OLD, NEW, default=OLD, repair=True)


def damaged(store: Store) -> None:
    """What a repair will find: nothing that `go version` needs."""
    both(store)
    tree = pathlib.Path(store.layout.tree(OLD))
    shutil.rmtree(str(tree / "src/fmt"))
    (tree / "src/os/file.go").write_text("changed")


def old_alone(store: Store) -> None:
    store.run(OLD, exclusive=True)


STEPS = [
    Step("install and switch", old_alone, NEW, {}, (OLD, NEW)),
    Step("switch", both, NEW, {}, (OLD, NEW)),
    Step("repair", damaged, OLD, dict(repair=True), (OLD,)),
    Step("prune", both, NEW, dict(exclusive=True), (OLD, NEW)),
]


def killed_after(store: Store, seconds: float, group: bool, step: Step) -> bool:
    """Whether the call was still under way then."""
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            store.run(step.version, **step.wish)
            os._exit(0)
        finally:
            os._exit(1)
    time.sleep(seconds)
    (os.killpg if group else os.kill)(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def took(store: Store, step: Step) -> float:
    step.prepare(store)
    start = time.monotonic()
    store.run(step.version, **step.wish)
    return time.monotonic() - start


def test_killed_at_random(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("GOHOST_SEED", str(time.time_ns() % 1_000_000)))
    chance = random.Random(seed)
    seconds = {step.name: took(store, step) for step in STEPS}
    done: list[str] = []
    while len(done) < KILLS:
        step = STEPS[len(done) % len(STEPS)]
        step.prepare(store)
        moment = chance.uniform(0.02, max(0.03, seconds[step.name]))
        if not killed_after(store, moment, chance.random() < 0.5, step):
            continue
        done.append(f"{step.name} after {moment:.2f} s")
        said = f"seed {seed}: {done[-1]}"
        assert store.go_version() in step.working, said
        assert all(os.path.exists(f"{store.links}/{link}") for link in store.linked()), said
        store.run(step.version, **step.wish)
        assert store.go_version() == step.version, said
        assert store.leftovers() == [], said
        assert not store.run(step.version, **dict(step.wish, verify="full")).decision.plan.changed, said
    with capsys.disabled():
        print(f"\nseed {seed}, killed: {', '.join(done)}", end=" ")

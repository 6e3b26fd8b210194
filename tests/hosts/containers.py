# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers with an init system as PID 1, by podman."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.hosts import cache, debian, machine
from tests.hosts.host import Host, clone_tag, current_owner, settled
from tests.runner.workspace import Failed

BOOTSTRAPPED = "mmdebstrap:"  # the prefix of images that are made here; all others are references to a registry's
_LABEL = "gohost.linux.tests"
_PACKAGES = "dbus-user-session,systemd-container,fish,less"
# Never --privileged: podman 4.3 then ignores --cap-drop, and a container can set the machine's clock.
_FLAGS = [
    "--systemd=always",
    "--cgroupns=private",
    "--cap-add=ALL",
    "--cap-drop=SYS_TIME,SYS_MODULE,SYS_BOOT,SYS_RAWIO,MKNOD",
    "--security-opt=unmask=ALL",
    "--security-opt=seccomp=unconfined",
]
_EQUIP = """
FROM {base}
COPY authorities/ /usr/local/share/gohost-authorities/
COPY id_ed25519.pub equip init /
RUN /equip
CMD ["/init"]
STOPSIGNAL SIGRTMIN+3
"""


class Unavailable(Failed):
    """No registry that can be reached from here has the image."""


def podman(*words: str, timeout: float = 600) -> str:
    return subprocess.run(
        ["podman", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True, timeout=timeout, env=environment()
    ).stdout.strip()


def environment() -> dict[str, str]:
    """The project's own settings for podman, instead of the machine's."""
    path = cache.home() / "containers.conf"
    text = f'[containers]\ndefault_ulimits = ["nofile=1024:{machine.nofile_limit()}", "nproc=16384:16384"]\n'
    if not machine.CGROUP2:
        text += '[engine]\nruntime = "runc"\n'  # crun refuses the hybrid layout
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
    return {**os.environ, "CONTAINERS_CONF": str(path)}


def build(image: str) -> str:
    """→ podman's name of the image to start, made when it is not there."""
    machine.need(machine.CONTAINERS, machine.SSH)
    return _bootstrapped(image.removeprefix(BOOTSTRAPPED)) if image.startswith(BOOTSTRAPPED) else _equipped(image)


def _bootstrapped(suite: str) -> str:
    init = cache.FILES / "init"

    def fill(path: Path) -> None:
        debian.bootstrap(suite, path / "root.tar.zst", _PACKAGES, [], [f"--customize-hook=copy-in {init} /"])

    archive = cache.directory(f"container-{suite}", cache.key(*debian.ingredients(suite, _PACKAGES, [init])), fill) / "root.tar.zst"
    name = f"localhost/gohost-tests/{suite}:{cache.key(archive.parent.name, archive.stat().st_mtime_ns)}"

    def load() -> None:
        changes = ['--change=CMD ["/init"]', "--change=STOPSIGNAL SIGRTMIN+3", f"--change=LABEL {_LABEL}={suite}"]
        podman("import", "--quiet", *changes, str(archive), name)

    _once(name, load)
    _drop_older(name)
    return name


def _equipped(reference: str) -> str:
    """An image from a registry (or podman's own storage), with what a test host needs on top."""

    def pull() -> None:
        try:
            podman("pull", "--quiet", reference)
        except subprocess.CalledProcessError as error:
            why = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Unavailable(f"the image {reference} cannot be had here; name another by the variable in the scenario's file ({why})") from None

    _once(reference, pull)
    authorities = machine.extra_authorities()
    parts = [cache.FILES / "equip", cache.FILES / "init", cache.public_key()]
    base = podman("image", "inspect", "--format", "{{.Id}}", reference)
    name = f"localhost/gohost-tests/{cache.key(reference)}:{cache.key(base, _EQUIP, *parts, *authorities)}"

    def equip() -> None:
        cache.say(f"{reference}: being equipped")
        with tempfile.TemporaryDirectory(dir=cache.home()) as context:
            (Path(context) / "authorities").mkdir()
            for path in parts:
                shutil.copy(path, context)
            for path in authorities:
                shutil.copy(path, f"{context}/authorities")
            (Path(context) / "Containerfile").write_text(_EQUIP.format(base=reference))
            try:
                podman("build", "--quiet", "--label", f"{_LABEL}={reference}", "--tag", name, context, timeout=1200)
            except subprocess.CalledProcessError as error:
                raise Failed(f"{reference} could not be made a test host: {error.stderr.strip()[-1500:]}") from None

    _once(name, equip)
    _drop_older(name)
    return name


def _once(name: str, make: Callable[[], None]) -> None:
    """Have podman's image of that name."""
    if not _exists(name):
        with cache.turn():
            if not _exists(name):
                make()


def _drop_older(name: str) -> None:
    for other in podman("images", "--format", "{{.Repository}}:{{.Tag}}", name.rpartition(":")[0]).split():
        if other != name:
            with suppress(subprocess.CalledProcessError):  # one that runs stays
                podman("rmi", other)


def _exists(name: str) -> bool:
    return subprocess.run(["podman", "image", "exists", name], check=False, env=environment()).returncode == 0


def start(image: str, name: str) -> Host:
    """Start a host; one of the same name in this checkout is replaced."""
    built = build(image)
    container = f"gohost-{clone_tag()}-{name}"
    host = Host(name, image, container, "127.0.0.1", 0, owner=current_owner())
    _remove(container)
    labels = [f"--label={_LABEL}={json.dumps(host._asdict())}", f"--name={container}", f"--hostname={name}", "--publish=127.0.0.1::22"]
    try:
        podman("run", "--detach", *labels, *_FLAGS, built, "/init")
        host = host._replace(port=_port(container))
        host.wait(settled(), 60)
    except subprocess.CalledProcessError as error:
        _remove(container)
        raise Failed(f"podman cannot start {image}: {error.stderr.strip()[-1000:]}") from None
    except BaseException:
        _remove(container)
        raise
    return host


def _port(container: str) -> int:
    return int(podman("port", container, "22/tcp").split(":")[-1])


def running() -> Iterator[Host]:
    """All hosts of this kind, of every checkout."""
    if not shutil.which("podman"):
        return
    for entry in json.loads(podman("ps", "--all", "--filter", f"label={_LABEL}", "--format", "json") or "[]"):
        host = Host(**json.loads(entry["Labels"][_LABEL]))
        ports = [port["host_port"] for port in entry.get("Ports") or [] if port["container_port"] == 22]
        yield host._replace(port=ports[0] if ports else 0)


def stop(host: Host) -> None:
    _remove(host.id)


def _remove(container: str) -> None:
    podman("rm", "--force", "--ignore", "--time", "0", "--volumes", container)


def reap() -> None:
    """Remove the empty cgroups that a container leaves whose monitor was killed."""
    if machine.CGROUP2 or os.geteuid() != 0 or not shutil.which("podman"):
        return
    known = set(podman("ps", "--all", "--quiet", "--no-trunc").split())
    for base in Path("/sys/fs/cgroup").glob("*/libpod_parent/libpod-*"):
        if base.name.split("-")[-1] not in known and time.time() - base.stat().st_mtime > 5:
            for path in sorted([base, *(path for path in base.rglob("*") if path.is_dir())], reverse=True):
                with suppress(OSError):  # one with processes stays
                    path.rmdir()

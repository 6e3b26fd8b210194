# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines with SELinux enforcing, by QEMU: started in seconds from a template that was frozen after its boot."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache as once
from pathlib import Path
from typing import NamedTuple

from tests.hosts import cache, debian, machine
from tests.hosts.host import Host, clone_tag, current_owner, identity, settled
from tests.hosts.qmp import Monitor
from tests.runner.workspace import Failed, Missing

PREFIX = "vm:"
_PACKAGES = (
    "linux-image-cloud-amd64,initramfs-tools,zstd,udev,netbase,libnss-myhostname,selinux-policy-default,policycoreutils,policycoreutils-python-utils,"
    "python3-selinux,python3-semanage,semodule-utils,selinux-utils,setools,auditd,curl,gpg"
)
_HOOK = cache.FILES / "debian-vm"
_MODULES = "virtio_pci virtio_blk virtio_net virtio_rng ext4"
_KERNEL = "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off lsm=landlock,lockdown,yama,selinux selinux=1 enforcing=1"
_MEMORY = 1024  # MiB
_CPUS = 4  # with fewer, no quota shows in GOMAXPROCS
_BOOT = 240  # seconds that a boot may take without KVM, on a machine with other work
_WAKE = 60


class Variant(NamedTuple):
    suite: str
    kernel: str = ""  # further kernel arguments


VARIANTS = {
    "bookworm": Variant("bookworm"),
    "trixie": Variant("trixie"),
    # trixie's kernel has no memory controller for cgroup v1, so bookworm is the last.
    "bookworm-cgroup1": Variant("bookworm", "systemd.unified_cgroup_hierarchy=0"),
}


def _variant(image: str) -> Variant:
    try:
        return VARIANTS[image.removeprefix(PREFIX)]
    except KeyError:
        raise Failed(f"no virtual machine is named {image}; there are {', '.join(PREFIX + name for name in VARIANTS)}") from None


def tree(suite: str, root: Path) -> None:
    """Make a machine's tree, without labels. Raises Missing where it cannot be made."""
    if os.geteuid() != 0:
        raise Missing("images of virtual machines are made by root: labels are not for others to set")
    machine.need(machine.BOOTSTRAP, machine.LABELLING)
    modules = (
        'mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"; '
        'echo MODULES=list > "$1/etc/initramfs-tools/conf.d/gohost"; '
        f'printf "%s\\n" {_MODULES} > "$1/usr/share/initramfs-tools/modules.d/gohost"'
    )
    debian.bootstrap(suite, root, _PACKAGES, [_HOOK], ["--format=directory", f"--essential-hook={modules}"])
    (root / "lost+found").mkdir(mode=0o700, exist_ok=True)  # mke2fs would make it, without a label


def pack(root: Path, image: Path) -> None:
    """A tree, with the labels that it has, as an image: a directory with base.qcow2, vmlinuz and initrd.img."""
    for name in ("vmlinuz", "initrd.img"):
        (found,) = (root / "boot").glob(f"{name}-*")
        shutil.copy(found, image / name)
    raw = image / "base.raw"
    cache.command(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-d", str(root), str(raw), "6G"])
    cache.command(["qemu-img", "convert", "-O", "qcow2", str(raw), str(image / "base.qcow2")])
    raw.unlink()


def _base(suite: str) -> Path:
    """The suite's image, labelled by the policy."""
    wanted = cache.key(*debian.ingredients(suite, _PACKAGES, [_HOOK]), _MODULES)

    def fill(path: Path) -> None:
        root = path / "root"
        tree(suite, root)
        cache.command(["setfiles", "-F", "-m", "-r", str(root), str(root / "etc/selinux/default/contexts/files/file_contexts"), str(root)])
        pack(root, path)
        shutil.rmtree(root)

    return cache.directory(f"vm-{suite}", wanted, fill)


class Template(NamedTuple):
    """A guest frozen after its boot: memory, devices' state and disk. None of them may ever change again."""

    path: Path
    base: Path
    kernel: str

    @property
    def hardware(self) -> list[str]:
        """What must be the same for the template and all its clones."""
        accelerator = ["-accel", "kvm", "-cpu", "host"] if kvm(self.base / "vmlinuz") else ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max"]
        devices = ["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci", "-device", "virtio-net-pci,netdev=net,romfile="]
        return ["-machine", "q35,memory-backend=ram", *accelerator, "-smp", str(_CPUS), "-m", str(_MEMORY), "-nodefaults", "-display", "none", *devices]


def build(image: str) -> Template:
    """The image's template, made when it is not there."""
    variant = _variant(image)
    machine.need(machine.MACHINES, machine.SSH)
    base = _base(variant.suite)
    unmade = Template(Path(), base, f"{_KERNEL} {variant.kernel}")
    version = cache.command(["qemu-system-x86_64", "--version"])
    processor = machine.processor() if "kvm" in unmade.hardware else ""
    wanted = cache.key(base.name, unmade.kernel, unmade.hardware, version, processor)

    def fill(path: Path) -> None:
        run = _Run(f"template-{image.removeprefix(PREFIX)}", image, identity(os.getpid()))
        try:
            run.launch(unmade, base / "base.qcow2", f"share=on,mem-path={path / 'ram'}")
            run.wait(settled(), _BOOT)
            run.host.run("sync")
            run.monitor().freeze(path / "state")
            run.end()
            shutil.move(run.disk, path / "disk.qcow2")
        finally:
            run.remove()

    return unmade._replace(path=cache.directory(f"template-{image.removeprefix(PREFIX)}", wanted, fill))


def start(image: str, name: str) -> Host:
    """Start a clone of the image's template; a host of the same name in this checkout is replaced."""
    template = build(image)
    run = _Run(name, image, current_owner())
    try:
        run.launch(template, template.path / "disk.qcow2", f"share=off,mem-path={template.path / 'ram'}", "-incoming", "defer")
        run.monitor().wake(template.path / "state")
        # The clock stands where it was frozen, and the name is the template's.
        run.wait(lambda: f"date -s @{time.time():.2f} && hostname {name} && echo {name} >/etc/hostname", _WAKE)
    except BaseException:
        run.remove()
        raise
    return run.host


def _runs() -> Path:
    """Where guests run: under a short path, because that of a control socket must stay under 108 characters."""
    path = Path("/tmp") / f"gohost-tests-{os.geteuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise Failed(f"{path} is another user's")
    return path


def boot(image: Path, name: str) -> Host:
    """Start a machine on an image that `pack` has made, from its power-on; a host of the same name in this checkout is replaced."""
    machine.need(machine.MACHINES, machine.SSH)
    run = _Run(name, f"{PREFIX}{image.name}", current_owner())
    try:
        run.launch(Template(Path(), image, _KERNEL), image / "base.qcow2", f"share=off,mem-path={run.path}")
        run.wait(settled(), _BOOT)
    except BaseException:
        run.remove()
        raise
    return run.host


class _Run:
    """A guest's directory and process."""

    def __init__(self, name: str, image: str, owner: str) -> None:
        self.path = _runs() / f"{clone_tag()}-{name}"
        self.disk = self.path / "disk.qcow2"
        self.remove()
        self.path.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.host = Host(name, image, str(self.path), "127.0.0.1", port, owner=owner)
        # Before the process, so that no process is ever without.
        (self.path / "host.json").write_text(json.dumps(self.host._asdict()))

    def launch(self, template: Template, disk: Path, memory: str, *more: str) -> None:
        cache.command(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(disk), str(self.disk)])
        argv = ["qemu-system-x86_64", "-name", self.host.name, *template.hardware, "-no-reboot", *more]
        argv += ["-object", f"memory-backend-file,id=ram,size={_MEMORY}M,{memory}"]
        argv += ["-drive", f"file={self.disk},if=none,id=disk,cache=unsafe,discard=unmap"]
        argv += ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.host.port}-:22"]
        argv += ["-serial", f"file:{self.path / 'console.log'}", "-qmp", f"unix:{self.path / 'qmp'},server=on,wait=off", "-pidfile", str(self.path / "pid")]
        argv += ["-kernel", str(template.base / "vmlinuz"), "-initrd", str(template.base / "initrd.img"), "-append", template.kernel]
        with (self.path / "qemu.log").open("w") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def monitor(self) -> Monitor:
        return Monitor(self.path / "qmp", self._why_ended)

    def wait(self, script: Callable[[], str] | str, seconds: float) -> None:
        self.host.wait(script, seconds, self._why_ended)

    def _why_ended(self) -> str:
        if self._process.poll() is None:
            return ""
        return f"QEMU ended with status {self._process.returncode}: {(self.path / 'qemu.log').read_text()[-1000:]}"

    def end(self) -> None:
        _end(self.path)
        self._process.wait()

    def remove(self) -> None:
        _end(self.path)
        shutil.rmtree(self.path, ignore_errors=True)


def _process_id(path: Path) -> int:
    """The guest's process, or 0. A process of that number that does not speak of the directory is somebody else's."""
    try:
        pid = int((path / "pid").read_text())
        return pid if str(path / "pid") in Path(f"/proc/{pid}/cmdline").read_text().split("\0") else 0
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return 0


def _end(path: Path) -> None:
    pid = _process_id(path)
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 5
    while _process_id(path) and time.monotonic() < end:
        time.sleep(0.02)
    if _process_id(path):
        os.kill(pid, signal.SIGKILL)


def running() -> Iterator[Host]:
    """All hosts of this kind, of every checkout."""
    for path in sorted(_runs().glob("*/host.json")):
        yield Host(**json.loads(path.read_text()))


def stop(host: Host) -> None:
    _end(Path(host.id))
    shutil.rmtree(host.id, ignore_errors=True)


def reap() -> None:
    """Remove the directories of guests that have ended by themselves."""
    for host in list(running()):
        if not _process_id(Path(host.id)) and time.time() - Path(host.id).stat().st_mtime > 10:
            stop(host)


@once
def kvm(kernel: Path) -> bool:
    """Whether a guest gets anywhere with KVM: that /dev/kvm opens is not enough where this machine is a guest itself."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError:
        return False
    known = cache.home() / f"kvm-{machine.boot_id()}"
    if not known.is_file():
        argv = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"]
        argv += ["-kernel", str(kernel), "-append", "panic=-1"]  # without a root filesystem it panics, and the machine is off
        try:
            works = subprocess.run(argv, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=10).returncode == 0
        except subprocess.TimeoutExpired:
            works = False
        for other in cache.home().glob("kvm-*"):
            other.unlink()
        known.write_text("works" if works else "hangs")
    return known.read_text() == "works"

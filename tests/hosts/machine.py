# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine is and has: cgroups, KVM, programs, apt sources and certificate authorities."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.runner.workspace import Failed, Missing

CGROUP2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
_CAS = Path("/usr/local/share/ca-certificates")


class Tools(NamedTuple):
    """Programs, and the Debian packages that bring them."""

    programs: tuple[str, ...]
    packages: tuple[str, ...]


SSH = Tools(("ssh", "ssh-keygen"), ("openssh-client",))
CONTAINERS = Tools(("podman", "runc", "iptables"), ("podman", "runc", "conmon", "netavark", "aardvark-dns", "iptables"))
BOOTSTRAP = Tools(("mmdebstrap", "zstd"), ("mmdebstrap", "debian-archive-keyring", "zstd"))
MACHINES = Tools(("qemu-system-x86_64", "qemu-img"), ("qemu-system-x86", "qemu-utils", "seabios", "ipxe-qemu"))
LABELLING = Tools(("setfiles", "mke2fs", "qemu-img"), ("policycoreutils", "e2fsprogs", "qemu-utils"))
BINDINGS = Tools(("semanage", "setfiles"), ("python3-semanage", "policycoreutils-python-utils", "policycoreutils"))


def need(*groups: Tools) -> None:
    """Have these programs; as root on Debian or Ubuntu what is missing is installed. Raises Missing."""
    lacking = [group for group in groups if not all(map(shutil.which, group.programs))]
    if not lacking:
        return
    programs = sorted({program for group in lacking for program in group.programs if not shutil.which(program)})
    packages = sorted({package for group in lacking for package in group.packages})
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"not on PATH: {', '.join(programs)}; on Debian and Ubuntu the packages are {' '.join(packages)}")
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--no-install-recommends", *packages]):
        done = subprocess.run([*apt, *words], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Failed(f"apt-get {words[0]} ended with status {done.returncode}: {(done.stderr or done.stdout).strip()[-1000:]}")


def apt_sources(suite: str) -> list[str]:
    """This machine's own sources of Debian, for another suite, as one-line entries; none where it is not a Debian."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', OS_RELEASE.read_text(), re.M))
    own = release.get("VERSION_CODENAME")
    if release.get("ID") != "debian" or not own:
        return []
    found: list[str] = []
    for uris, suites, components in _entries():
        for uri in uris:
            for name in suites:
                if name == own or name in (f"{own}-updates", f"{own}-security"):
                    found.append(f"deb {uri} {name.replace(own, suite, 1)} {' '.join(components)}")
    return found


def _entries() -> list[tuple[list[str], list[str], list[str]]]:
    """(URIs, suites, components) of every source of binary packages, in either of apt's formats."""
    entries = []
    for path in [APT / "sources.list", *sorted(APT.glob("sources.list.d/*.list"))]:
        if path.is_file():
            for match in re.finditer(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(\S.*)$", path.read_text(), re.M):
                entries.append(([match[1]], [match[2]], match[3].split("#")[0].split()))
    for path in sorted(APT.glob("sources.list.d/*.sources")):
        text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.M)
        for stanza in re.split(r"\n\s*\n", text):
            fields = {name.lower(): value.split() for name, value in re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t]+.*)*)$", stanza, re.M)}
            if "deb" in fields.get("types", ()) and fields.get("enabled") != ["no"]:
                entries.append((fields["uris"], fields["suites"], fields.get("components", [])))
    return entries


def extra_authorities() -> list[Path]:
    """Certificates that this machine trusts besides its distribution's: hosts here are behind the same gateways."""
    return sorted(_CAS.glob("*.crt"))


def nofile_limit() -> int:
    """A limit of open files that this machine lets a container have."""
    done = subprocess.run(["sh", "-c", "ulimit -Hn"], capture_output=True, text=True, check=True)
    return 1048576 if done.stdout.strip() == "unlimited" else min(int(done.stdout), 1048576)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def processor() -> str:
    """The processor's name and features, which a guest under KVM sees."""
    return "\n".join(sorted(set(re.findall(r"^(?:model name|flags)\s*:.*$", Path("/proc/cpuinfo").read_text(), re.M))))


def describe() -> list[str]:
    """What can be tested here, line by line."""
    root = os.geteuid() == 0
    lines = [f"cgroups: {'v2' if CGROUP2 else 'v1'}", f"user: {'root' if root else 'not root'}"]
    if not CGROUP2:
        lines.append("not here: containers without root, limits of user units in containers")
    if not root:
        lines.append("not here: images of virtual machines can be started, but only root can make them")
    lines.append("Debian from: " + ("this machine's apt sources" if apt_sources("bookworm") else "mmdebstrap's own default, for this is no Debian"))
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK)
    lines.append("/dev/kvm: " + ("there; whether a guest boots with it is tried with the first" if usable else "none, so software emulation"))
    lacking = [program for group in (SSH, CONTAINERS, BOOTSTRAP, MACHINES, LABELLING, BINDINGS) for program in group.programs if not shutil.which(program)]
    lines.append("programs: " + (f"without {', '.join(lacking)}" + ("; installed when needed" if root else "") if lacking else "all"))
    return lines


def polite(argv: Sequence[str]) -> list[str]:
    """The command, giving way to others: images are built while tests run."""
    return ["nice", "-n", "10", *argv] if shutil.which("nice") else list(argv)

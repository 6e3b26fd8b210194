# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts: `python3 -m tests.hosts --help`.

An IMAGE is `mmdebstrap:SUITE` (a container of Debian, made from this machine's own apt sources), `vm:SUITE` or `vm:SUITE-cgroup1` (a virtual machine
with SELinux enforcing), or any reference that podman can pull, which then gets an init system, Python and sshd on top.
"""

import argparse
import os
import sys

from tests.hosts import hosts, machine
from tests.runner.workspace import Failed, Missing, link_collection


def _build(options: argparse.Namespace) -> None:
    for image in options.image:
        print(hosts.build(image))


def _start(options: argparse.Namespace) -> None:
    link_collection()
    print(hosts.start(options.image, options.name or options.image.replace(":", "-").replace("/", "-")).json)


def _list(_options: argparse.Namespace) -> None:
    for host in hosts.running():
        whose = "orphaned" if host.orphaned else f"ends with process {host.owner.split('-')[0]}" if host.owner else "kept"
        print(f"{host.name:<24} {host.image:<24} {host.address}:{host.port:<6} {whose:<24} {host.checkout}")


def _stop(options: argparse.Namespace) -> None:
    here = hosts.here()
    for name in here if options.all else options.name:
        if name in here:  # what is gone already is as it shall be
            hosts.stop(here[name])


def _reap(options: argparse.Namespace) -> None:
    for host in hosts.reap(options.all):
        print(f"removed: {host.name} ({host.image}) of {host.checkout}")


def _ssh(options: argparse.Namespace) -> None:
    here = hosts.here()
    if options.name not in here:
        raise Failed(f"no host of this checkout is named {options.name}; there are: {', '.join(here) or 'none'}")
    argv = here[options.name].ssh(*options.command, user=options.user)
    os.execvp(argv[0], argv)


def _about(_options: argparse.Namespace) -> None:
    for line in machine.describe():
        print(line)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.hosts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, what: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(what=what)
        return made

    command("build", _build, "make images and templates ahead").add_argument("image", nargs="+", metavar="IMAGE")
    start = command("start", _start, "start a host, and print how to reach it as JSON; one of the same name is replaced")
    start.add_argument("image", metavar="IMAGE")
    start.add_argument("--name")
    command("list", _list, "all hosts, of every checkout")
    stop = command("stop", _stop, "remove hosts of this checkout")
    stop.add_argument("name", nargs="*")
    stop.add_argument("--all", action="store_true")
    reap = command("reap", _reap, "remove what runs that were killed have left")
    reap.add_argument("--all", action="store_true", help="remove the hosts that are in use, too")
    ssh = command("ssh", _ssh, "log in, or run a command")
    ssh.add_argument("--user", default="root")
    ssh.add_argument("name")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    command("about", _about, "what this machine can test")

    options = parser.parse_args()
    try:
        options.what(options)
    except (Failed, Missing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())

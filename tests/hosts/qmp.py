# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU process's control socket."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.runner.workspace import Failed


class Monitor:
    """QEMU's machine protocol, as far as freezing and waking need it."""

    def __init__(self, path: Path, why_ended: Callable[[], str]) -> None:
        """`why_ended` says why the process has ended, or nothing while it runs."""
        end = time.monotonic() + 10
        with socket.socket(socket.AF_UNIX) as connection:
            while True:
                try:
                    connection.connect(str(path))
                    break
                except OSError as error:
                    if why_ended() or time.monotonic() > end:
                        raise Failed(why_ended() or f"QEMU does not answer at {path}: {error.strerror}") from None
                    time.sleep(0.02)
            self._file = connection.makefile("rw")  # keeps the connection for as long as it lives
        self._file.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        while line := self._file.readline():
            answer = json.loads(line)  # or an event, which nobody asked for
            if "error" in answer:
                raise Failed(f"QEMU refuses {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise Failed(f"QEMU ended while it was asked for {command}")

    def freeze(self, state: Path) -> None:
        """Stop the guest and save its devices; its memory is a file already."""
        self.ask("stop")
        self._migrate("migrate", f"exec:cat > '{state}'")

    def wake(self, state: Path) -> None:
        self._migrate("migrate-incoming", f"exec:cat '{state}'")
        self.ask("cont")

    def _migrate(self, command: str, uri: str) -> None:
        self.ask("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
        self.ask(command, uri=uri)
        while (status := self.ask("query-migrate").get("status")) != "completed":
            if status == "failed":
                raise Failed(f"QEMU's {command} failed")
            time.sleep(0.05)

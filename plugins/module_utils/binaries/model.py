# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Go program says about how it was built. Pure."""

from typing import Dict, NamedTuple, Optional, Tuple

# Settings that may hold anything, secrets of -ldflags="-X main.token=…" among them, are left out: those that are not here.
_SHOWN = ("CGO_ENABLED", "-asan", "-buildmode", "-compiler", "-cover", "-msan", "-race", "-tags", "-trimpath")
_SHOWN_PREFIXES = ("GO", "vcs")


class Module(NamedTuple):
    """A module of the build; replacement: "path version" of what was built in its place, "" where it was itself."""

    path: str
    version: str
    sum: str = ""
    replacement: str = ""


class BuildInfo(NamedTuple):
    """Build information of a program, as `go version -m` prints it.

    version: as the toolchain calls itself ("go1.27.4", "go1.24.4 (Red Hat 1.24.4-1.el9)", "devel go1.28-0a1b2c3 …").
    path: import path of the main package. main: None where the program was not built as part of a module.
    settings: KEY=VALUE of the build (Go 1.18 and newer), in their order. The go line of go.mod is not among them, only what it caused: DefaultGODEBUG.
    """

    version: str
    path: str = ""
    main: Optional[Module] = None
    deps: Tuple[Module, ...] = ()
    settings: Tuple[Tuple[str, str], ...] = ()

    def setting(self, key: str) -> str:
        """The value of a setting, "" where it is not there."""
        return dict(self.settings).get(key, "")

    @property
    def shown(self) -> Dict[str, str]:
        """The settings that are nobody's secret."""
        return {key: value for key, value in self.settings if key in _SHOWN or key.startswith(_SHOWN_PREFIXES)}

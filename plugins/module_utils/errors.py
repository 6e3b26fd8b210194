# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of this collection."""

from typing import Optional


class GoHostError(Exception):
    """What happened, on which value, and what a person can do next: one line.

    Raised where the trouble is found; only a door turns it into a failed task.
    """

    def __init__(self, what: str, value: Optional[object] = None, hint: Optional[str] = None) -> None:
        self.what = what
        self.value = value
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what if self.value is None else f"{self.what}: {self.value}"
        if self.hint is not None:
            text = f"{text.rstrip('.')}. {self.hint}"
        return " ".join(text.split())

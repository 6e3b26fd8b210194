# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call will change, thing by thing: the source of changed, of the diff and of what check mode prints."""

from typing import Dict, List, NamedTuple, Tuple, Union

Value = Union[None, bool, int, str, List[str]]


class Step(NamedTuple):
    """One change of one thing.

    action: the subject's verb ("install", "remove", "link" …), which its apply knows how to do.
    thing: what is changed, as a person names it; unique within a plan.
    before, after: its value then and now; None where it is not there.
    argument: what apply needs besides, if anything.
    """

    action: str
    thing: str
    before: Value
    after: Value
    argument: str = ""


class Plan(NamedTuple):
    """Steps in the order in which they are to be done."""

    steps: Tuple[Step, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.steps)

    def diff(self) -> Dict[str, Dict[str, Value]]:
        """As Ansible's --diff takes it: only what differs, before and after."""
        return {
            "before": {step.thing: step.before for step in self.steps},
            "after": {step.thing: step.after for step in self.steps},
        }

    def of(self, action: str) -> List[Step]:
        return [step for step in self.steps if step.action == action]

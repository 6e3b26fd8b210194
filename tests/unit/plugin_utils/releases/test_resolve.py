# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import datetime

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import index, resolve

KNOWN = index.load()


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        ("stable", "1.27.4"),
        ("oldstable", "1.26.11"),
        ("1.27", "1.27.4"),
        ("1.26", "1.26.11"),
        ("go1.25", "1.25.14"),
        ("1.20", "1.20.14"),
        ("1.20.0", "1.20"),
        ("1.21.0", "1.21.0"),
        ("1.27.3", "1.27.3"),
        ("go1.27.2", "1.27.2"),
        ("1.27.9", "1.27.9"),  # newer than the index
        ("1.28.0", "1.28.0"),
        ("1.28rc1", "1.28rc1"),
        ("1.26.10", "1.26.10"),  # not listed, yet between two that are
        ("1.22rc2", "1.22rc2"),
        ("1.18.3", "1.18.3"),  # older than the index
    ],
)
def test_resolve(request_: str, version: str) -> None:
    assert resolve.resolve(request_, KNOWN) == version


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("1.22.99", "no such Go release is known: 1.22.99. The nearest is 1.22.12, the newest 1.27.4."),
        ("1.25.15", "no such Go release is known: 1.25.15. The nearest is 1.25.14, the newest 1.27.4."),
        ("1.30", "no such Go release is known: 1.30. The nearest is 1.27.4, the newest 1.27.4."),
        ("1.18", "no such Go release is known: 1.18. The nearest is 1.19.13, the newest 1.27.4."),
        ("0.9.1", "no such Go release is known: 0.9.1. The nearest is 1.19.13, the newest 1.27.4."),
    ],
)
def test_what_cannot_exist_names_the_nearest_and_the_newest(request_: str, message: str) -> None:
    with pytest.raises(GoHostError) as refused:
        resolve.resolve(request_, KNOWN)
    assert str(refused.value) == message


@pytest.mark.parametrize("request_", ["", "latest", "1", "1.27.x", "1.27.3-foo", "v1.27.3", "1.27.3 ", "1.27.1rc1", "../1.27.3"])
def test_what_is_no_version(request_: str) -> None:
    with pytest.raises(GoHostError, match="not a Go version"):
        resolve.resolve(request_, KNOWN)


def test_a_number_is_refused() -> None:
    with pytest.raises(GoHostError, match="Quote it"):
        resolve.resolve(1.2, KNOWN)  # type: ignore[arg-type]


def test_heard_of_elsewhere() -> None:
    known = index.extended(KNOWN, ["1.27.7", "1.28.1", "1.29rc1"])
    assert [resolve.resolve(one, known) for one in ("stable", "oldstable", "1.27")] == ["1.28.1", "1.27.7", "1.27.7"]


@pytest.mark.parametrize(
    ("version", "today", "more", "expected"),
    [
        ("1.25.14", "2026-11-21", [], ("1.25.14", "1.25", "2025-08-12", False, "2026-08-19")),
        ("1.25.14", "2026-08-18", [], ("1.25.14", "1.25", "2025-08-12", True, "2026-08-19")),
        ("1.25.14", "2026-08-19", [], ("1.25.14", "1.25", "2025-08-12", False, "2026-08-19")),
        ("1.26.11", "2026-11-21", [], ("1.26.11", "1.26", "2026-02-10", True, None)),
        ("1.26.11", "2027-03-01", ["1.28.0"], ("1.26.11", "1.26", "2026-02-10", False, None)),
        ("1.27.4", "2027-03-01", ["1.28.0"], ("1.27.4", "1.27", "2026-08-19", True, None)),
        ("1.28rc1", "2026-12-20", [], ("1.28rc1", "1.28", None, True, None)),
        ("1.9.2", "2026-12-20", [], ("1.9.2", "1.9", None, False, None)),
        ("1.20", "2026-12-20", [], ("1.20", "1.20", "2023-02-01", False, "2024-02-06")),
    ],
)
def test_lifecycle(version: str, today: str, more: list[str], expected: tuple[str, str, str | None, bool, str | None]) -> None:
    assert resolve.lifecycle(version, index.extended(KNOWN, more), datetime.date.fromisoformat(today)) == expected

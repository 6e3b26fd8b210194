# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts as people and systemd write them."""

from typing import Optional, Union

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import quantities
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.quantities import Amount
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError


@pytest.mark.parametrize(
    ("value", "amount", "systemd"),
    [
        (536870912, Amount(536870912), "536870912"),
        ("536870912", Amount(536870912), "536870912"),
        ("512MiB", Amount(536870912), "536870912"),
        ("512M", Amount(536870912), "536870912"),
        (" 1.5 GiB ", Amount(1610612736), "1610612736"),
        ("4096B", Amount(4096), "4096"),
        ("1K", Amount(1024), "1024"),
        ("2TiB", Amount(1 << 41), "2199023255552"),
        ("7EiB", Amount(7 << 60), "8070450532247928832"),
        (0, Amount(0), "0"),
        ("25%", Amount(share=2500), "25%"),
        ("12.5%", Amount(share=1250), "12.5%"),
        ("0.01%", Amount(share=1), "0.01%"),
        ("100%", Amount(share=10000), "100%"),
        ("infinity", Amount(), "infinity"),
    ],
)
def test_size(value: Union[int, str], amount: Amount, systemd: str) -> None:
    assert (quantities.size(value), str(quantities.size(value))) == (amount, systemd)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("512MB", "Write 512MiB"),
        ("1.5GB", "Write 1.5GiB"),
        ("400Mi", 'Give bytes, "512MiB"'),
        ("512m", "memory_max is no size"),
        ("-1", "memory_max is no size"),
        ("1e9", "memory_max is no size"),
        ("", "memory_max is no size"),
        ("max", "memory_max is no size"),
        ("\u0665MiB", "memory_max is no size"),
        ("1.5", "no whole number of bytes"),
        ("8EiB", "below 8 EiB"),
        ("101%", "more than 100 %"),
        ("12.345%", "memory_max is no size"),
        (True, "memory_max is no size"),
    ],
)
def test_no_size(value: Union[int, str], says: str) -> None:
    with pytest.raises(GoHostError, match=says):
        quantities.size(value, "memory_max")


def test_amount_on_a_machine() -> None:
    assert quantities.size("25%").of(1001) == 250
    assert quantities.size("1KiB").of(100) == 1024
    assert quantities.size("infinity").of(100) is None and quantities.size("infinity").infinite
    assert not quantities.size(0).infinite


@pytest.mark.parametrize(("value", "amount"), [(512, Amount(512)), ("25%", Amount(share=2500)), ("infinity", Amount()), ("007", Amount(7))])
def test_count(value: Union[int, str], amount: Amount) -> None:
    assert quantities.count(value) == amount


@pytest.mark.parametrize("value", [0, -1, "0%", "200%", "512M", "1.5", "", "9" * 30, "\u0663"])
def test_no_count(value: Union[int, str]) -> None:
    with pytest.raises(GoHostError, match="tasks_max is no number of tasks"):
        quantities.count(value, "tasks_max")


@pytest.mark.parametrize(
    ("value", "microseconds"),
    [(1.5, 1500000), ("1.5", 1500000), ("150%", 1500000), (2, 2000000), ("0.5%", 5000), ("0.01%", 100), (0.3, 300000), (64, 64000000), ("infinity", None)],
)
def test_cpus(value: Union[float, str], microseconds: Optional[int]) -> None:
    assert quantities.cpus(value) == microseconds


@pytest.mark.parametrize("value", [0, "0%", -1, "1.00001", "1,5", "", "nan", "inf", "1/2", "150 percent", "12.345%"])
def test_no_cpus(value: Union[float, str]) -> None:
    with pytest.raises(GoHostError, match="cpu_quota is no amount of CPU time"):
        quantities.cpus(value)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1000, "1000 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (536870912, "512 MiB"), (1 << 40, "1 TiB"), (1 << 51, "2048 TiB")]
)
def test_human(number: int, text: str) -> None:
    assert quantities.human(number) == text


@pytest.mark.parametrize(("number", "text"), [(483183820, "460MiB"), (1 << 30, "1024MiB"), ((1 << 20) - 1, "1023KiB"), (1000, "1000B")])
def test_gomemlimit_never_says_more(number: int, text: str) -> None:
    assert quantities.gomemlimit(number) == text

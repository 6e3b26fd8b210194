# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What environment systemd gives a program: beside what systemd 252 of Debian 12 (247 of Debian 11 did the same) gave to services in a container."""

import itertools
import random
import re
from pathlib import Path
from typing import Dict, List, Optional

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import observe, unit_files, variables
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits import overlay
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import UnitState
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.observe import observe as look
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import ARGUMENT_SPEC, wanted
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Manager
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.observe import Machine
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.parse import GO_VARIABLES, go_variables
from tests.fakes import systemd
from tests.fakes.rooted_host import RootedHost
from tests.fakes.systemd import ETC, TASKS, FakeSystemd

Given = Dict[str, str]
GAVE = {  # lines of app-KEY@7.service → what its program had
    "plain": (["Environment=GOMAXPROCS=3"], {"GOMAXPROCS": "3"}),
    "unterminated": (['Environment=GOMAXPROCS=3 "GOGC=5'], {"GOMAXPROCS": "3"}),
    "badescape": (["Environment=GOMAXPROCS=3 GOGC=5\\q GODEBUG=1"], {"GOMAXPROCS": "3"}),
    "hex": (['Environment="GOMAXPROCS=\\x33"'], {"GOMAXPROCS": "3"}),
    "hexplain": (["Environment=GOMAXPROCS=\\x33"], {"GOMAXPROCS": "3"}),
    "hexsingle": (["Environment='GOMAXPROCS=\\x33'"], {"GOMAXPROCS": "3"}),
    "hexname": (['Environment="\\x47OMAXPROCS=3"'], {"GOMAXPROCS": "3"}),
    "octal": (["Environment=GOMAXPROCS=\\063"], {"GOMAXPROCS": "3"}),
    "octalshort": (["Environment=GOMAXPROCS=\\63 GOGC=1"], {}),
    "octalbig": (["Environment=GOMAXPROCS=\\777 GOGC=1"], {}),
    "hexbad": (["Environment=GOMAXPROCS=\\x3 GOGC=1"], {}),
    "nul": (["Environment=GOGC=1 GOMAXPROCS=\\x00"], {"GOGC": "1"}),
    "nl": (['Environment="GOGC=5\\n0" GOMAXPROCS=\\t2'], {"GOGC": "5\n0", "GOMAXPROCS": "\t2"}),
    "allesc": (['Environment="GODEBUG=\\a\\b\\f\\n\\r\\t\\v\\\\\\"\\s\'x\\\'"'], {"GODEBUG": "\x07\x08\x0c\n\r\t\x0b\\\" 'x'"}),
    "u4": (['Environment="GODEBUG=\\u00e9" GOGC=\\U00000035'], {"GODEBUG": "é", "GOGC": "5"}),
    "badutf": (['Environment=GOGC=1 "GODEBUG=\\xff" GOMAXPROCS=2'], {"GOGC": "1", "GOMAXPROCS": "2"}),
    "goodutf": (["Environment=GODEBUG=\\xc3\\xa9"], {"GODEBUG": "é"}),
    "dollar": (['Environment=GOGC=1 "GODEBUG=\\$" GOMAXPROCS=2', "Environment=GOMEMLIMIT=$X"], {"GOGC": "1", "GOMEMLIMIT": "$X"}),
    "tick": (["Environment=GODEBUG=\\` GOMAXPROCS=2"], {}),
    "trailbs": (['Environment="GODEBUG=a\\\\" GOGC=2\\\\'], {"GODEBUG": "a\\", "GOGC": "2\\"}),
    "midquote": (['Environment=GODEBUG=a"b c"\'d e\'f GO"GC"=4'], {"GODEBUG": "ab cd ef", "GOGC": "4"}),
    "emptyword": (['Environment=GOGC=1 "" GOMAXPROCS=2'], {"GOGC": "1", "GOMAXPROCS": "2"}),
    "reset": (["Environment=GOGC=1", "Environment=", "Environment=GOMAXPROCS=2"], {"GOMAXPROCS": "2"}),
    "emptyquoted": (["Environment=GOGC=1", 'Environment=""', "Environment=GOMAXPROCS=2"], {"GOGC": "1", "GOMAXPROCS": "2"}),
    "emptyval": (["Environment=GOMAXPROCS="], {"GOMAXPROCS": ""}),
    "last": (["Environment=GOMAXPROCS=2 GOMAXPROCS=3", "Environment=GOMAXPROCS=4"], {"GOMAXPROCS": "4"}),
    "noname": (["Environment=GOGC =5 1GOGC=6 GO-GC=4 GOGC"], {}),
    "cont": (
        ["Environment=GOMAXPROCS=3 \\", "  GOGC=5 \\", "# comment \\", "; other", "  GODEBUG=x", "Environment=GOMEMLIMIT=1GiB"],
        {"GOMAXPROCS": "3", "GOGC": "5", "GODEBUG": "x", "GOMEMLIMIT": "1GiB"},
    ),
    "contmid": (["Environment=GOMAXPROCS=3\\", "4 GODEBUG=7"], {"GOMAXPROCS": "3", "GODEBUG": "7"}),
    "contquoted": (['Environment="GODEBUG=a\\', 'b" GOGC=3'], {"GODEBUG": "a b", "GOGC": "3"}),
    "contempty": (["Environment=GOGC=3\\", "", "Environment=GOMAXPROCS=2"], {"GOGC": "3", "GOMAXPROCS": "2"}),
    "pct": (
        ["Environment=GOMAXPROCS=%%i GODEBUG=%i,%I,%n,%N,%p,%P,%j,%J,%f"],
        {"GOMAXPROCS": "%i", "GODEBUG": "7,7,app-pct@7.service,app-pct@7,app-pct,app/pct,pct,pct,/7"},
    ),
    "pctunk": (["Environment=GODEBUG=%z%Z% GOGC=%"], {"GOGC": "%"}),
    "pctspace": (["Environment=GODEBUG=%%20"], {"GODEBUG": "%20"}),
    "pctescaped": (["Environment=GODEBUG=\\x25i GOGC=\\x25\\x25"], {"GODEBUG": "7", "GOGC": "%"}),
    "unsetname": (["Environment=GOMAXPROCS=3 GOGC=1", "UnsetEnvironment=GOMAXPROCS"], {"GOGC": "1"}),
    "unsetvalue": (["Environment=GOMAXPROCS=3 GOGC=1", "UnsetEnvironment=GOMAXPROCS=3 GOGC=2"], {"GOGC": "1"}),
    "unsetempty": (["Environment=GOMAXPROCS= GOGC=1", "UnsetEnvironment=GOMAXPROCS= GOGC="], {"GOGC": "1"}),
    "unsetreset": (["Environment=GOMAXPROCS=3", "UnsetEnvironment=GOMAXPROCS", "UnsetEnvironment="], {"GOMAXPROCS": "3"}),
    "unsetquoted": (['Environment=GODEBUG=a=1 "GOGC=5 "', 'UnsetEnvironment="\\x47ODEBUG=a=1" "GOGC=5 "'], {}),
    "unsetbad": (
        ["Environment=GOMAXPROCS=3 GOGC=1 GODEBUG=x", 'UnsetEnvironment=GOMAXPROCS "GOGC', "UnsetEnvironment=\\q GODEBUG"],
        {"GOGC": "1", "GODEBUG": "x"},
    ),
    "unsetpct": (["Environment=GOMAXPROCS=7 GODEBUG=%%i", "UnsetEnvironment=GOMAXPROCS=%i GODEBUG=%%i"], {}),
    "unsetglob": (["Environment=GOMAXPROCS=7", "UnsetEnvironment=GO* GOMAX"], {"GOMAXPROCS": "7"}),
}
FILES = [  # a file of EnvironmentFile= → what the program had
    ("GODEBUG=3\nGOGC=9\n", {"GODEBUG": "3", "GOGC": "9"}),
    ('GODEBUG="3"\nGOGC=9\n', {"GODEBUG": "3", "GOGC": "9"}),
    ("GODEBUG='3'\nGOGC=9\n", {"GODEBUG": "3", "GOGC": "9"}),
    ("GODEBUG=3 4\nGOGC=9\n", {"GODEBUG": "3 4", "GOGC": "9"}),
    ('GODEBUG="3" "4"\nGOGC=9\n', {"GODEBUG": "34", "GOGC": "9"}),
    ('GODEBUG="3" 4\nGOGC=9\n', {"GODEBUG": "34", "GOGC": "9"}),
    ('GODEBUG=3"4"\nGOGC=9\n', {"GODEBUG": '3"4"', "GOGC": "9"}),
    ("GODEBUG=3'4'\nGOGC=9\n", {"GODEBUG": "3'4'", "GOGC": "9"}),
    ("GODEBUG=\\3\nGOGC=9\n", {"GODEBUG": "3", "GOGC": "9"}),
    ("GODEBUG=3\\ \nGOGC=9\n", {"GODEBUG": "3 ", "GOGC": "9"}),
    ("GODEBUG=3\\x34\nGOGC=9\n", {"GODEBUG": "3x34", "GOGC": "9"}),
    ('GODEBUG="\\x33"\nGOGC=9\n', {"GODEBUG": "\\x33", "GOGC": "9"}),
    ('GODEBUG="\\"\\\\\\`\\$\\n"\nGOGC=9\n', {"GODEBUG": '"\\`$\\n', "GOGC": "9"}),
    ("GODEBUG='\\''\nGOGC=9\n", {"GODEBUG": "\\\nGOGC=9\n"}),
    ("GODEBUG=a\\\nb\nGOGC=9\n", {"GODEBUG": "ab", "GOGC": "9"}),
    ('GODEBUG="a\\\nb"\nGOGC=9\n', {"GODEBUG": "ab", "GOGC": "9"}),
    ('GODEBUG="a\nb"\nGOGC=9\n', {"GODEBUG": "a\nb", "GOGC": "9"}),
    ("GODEBUG='a\nb'\nGOGC=9\n", {"GODEBUG": "a\nb", "GOGC": "9"}),
    ("GODEBUG=# x\nGOGC=9\n", {"GODEBUG": "# x", "GOGC": "9"}),
    ("GODEBUG=3 # x\nGOGC=9\n", {"GODEBUG": "3 # x", "GOGC": "9"}),
    ('GODEBUG="3" # x\nGOGC=9\n', {"GODEBUG": "3# x", "GOGC": "9"}),
    ("GODEBUG=  3  \nGOGC=9\n", {"GODEBUG": "3", "GOGC": "9"}),
    ('GODEBUG=" 3 "\nGOGC=9\n', {"GODEBUG": " 3 ", "GOGC": "9"}),
    ("GODEBUG=\nGOGC=9\n", {"GODEBUG": "", "GOGC": "9"}),
    ('GODEBUG=""\nGOGC=9\n', {"GODEBUG": "", "GOGC": "9"}),
    ("GODEBUG=a;b\nGOGC=9\n", {"GODEBUG": "a;b", "GOGC": "9"}),
    ("GODEBUG=3\\\nGOGC=9\n", {"GODEBUG": "3GOGC=9"}),
    ('GODEBUG="open\nGOGC=9\n', {"GODEBUG": "open\nGOGC=9\n"}),
    ("GODEBUG='open\nGOGC=9\n", {"GODEBUG": "open\nGOGC=9\n"}),
    ("GODEBUG=a\tb \nGOGC=9\n", {"GODEBUG": "a\tb", "GOGC": "9"}),
    ("GODEBUG=x\r\nGOGC=9\n", {"GODEBUG": "x", "GOGC": "9"}),
    ("GODEBUG=\\\\\nGOGC=9\n", {"GODEBUG": "\\", "GOGC": "9"}),
    ("GODEBUG=$HOME\nGOGC=9\n", {"GODEBUG": "$HOME", "GOGC": "9"}),
    ("GODEBUG=%i\nGOGC=9\n", {"GODEBUG": "%i", "GOGC": "9"}),
    ("GODEBUG=3", {"GODEBUG": "3"}),
    ('GODEBUG="open', {"GODEBUG": "open"}),
    ("GODEBUG='open\nGOGC=1\n", {"GODEBUG": "open\nGOGC=1\n"}),
    ("GODEBUG=3\\", {"GODEBUG": "3"}),
    ("GODEBUG", {}),
    ("GODEBUG=3 ", {"GODEBUG": "3"}),
    ("# c\\\nGODEBUG=1\nGOGC=2\n", {"GOGC": "2"}),
    ("; c\n;GODEBUG=1\n #GOGC=2\nGOMAXPROCS=3", {"GOMAXPROCS": "3"}),
    ("GODEBUG=1\r\nGOGC=2\r\n", {"GODEBUG": "1", "GOGC": "2"}),
    ("=3\nGOGC=1\n", {"GOGC": "1"}),
    ("GODEBUG\n=3\n", {}),
    ("GO\\GC=3\nGOGC\\=4\n", {}),
    ('"GOGC"=3\n', {}),
    ("GOGC=1;GODEBUG=2\n", {"GOGC": "1;GODEBUG=2"}),
    ("\ufeffGOGC=1\nGODEBUG=1\n", {"GODEBUG": "1"}),
    ("\nGOGC=1\n\n\nGODEBUG= \nGOMAXPROCS=1", {"GOGC": "1", "GODEBUG": "", "GOMAXPROCS": "1"}),
    ("GOGC=1\nGOGC=2\n", {"GOGC": "2"}),
]


def told(lines: List[str], name: str = "app@7.service", files: Optional[Given] = None, manager: Optional[Manager] = None) -> Given:
    settings = unit_files.settings("[Service]\n" + "".join(f"{line}\n" for line in lines), "/x")
    return overlay.told(UnitState({"Id": name}, variables=files or {}, manager=manager or Manager()), list(settings))


@pytest.mark.parametrize("name", GAVE)
def test_lines(name: str) -> None:
    lines, gave = GAVE[name]
    assert told(lines, f"app-{name}@7.service") == gave


@pytest.mark.parametrize(("text", "gave"), FILES)
def test_files(text: str, gave: Given) -> None:
    assert variables.environment_file(text, 252) == gave


def test_comments_that_end_with_a_backslash() -> None:
    """systemd 254 and later does not take the next line for a part of them (NEWS of 254)."""
    text = "# c\\\nGOGC=1\n;\\\\\nGODEBUG=2\n"
    assert variables.environment_file(text, 253) == {"GODEBUG": "2"} and variables.environment_file(text, 254) == {"GOGC": "1", "GODEBUG": "2"}


def test_a_file_that_is_no_utf_8() -> None:
    assert variables.environment_file("GOGC=1\nX=\udcff\nGOMAXPROCS=3\n", 252) == {}
    assert variables.environment_file("GOGC=1\n# \udcff\n", 252) == {"GOGC": "1"}


@pytest.mark.parametrize(
    ("unit", "gave"),
    [
        (
            r"u-a\x2db-c\x20d@e\x2ff-g.service",
            r"e\x2ff-g,e/f/g,u-a\x2db-c\x20d,u/a-b/c d,c\x20d,c d,u-a\x2db-c\x20d@e\x2ff-g.service,u-a\x2db-c\x20d@e\x2ff-g,/e/f/g",
        ),
        ("u-noinst.service", ",,u-noinst,u/noinst,noinst,noinst,u-noinst.service,u-noinst,/u/noinst"),
    ],
)
def test_specifiers_of_names(unit: str, gave: str) -> None:
    assert told(["Environment=GODEBUG=%i,%I,%p,%P,%j,%J,%n,%N,%f"], unit) == {"GODEBUG": gave}


def test_specifiers_that_are_none() -> None:
    """Of a letter or digit that is none the whole word goes; others stay. Those of the host are left as they are."""
    for letter in "0 9,-_.:=+/#$@!cekxzFKOQXZ":
        assert told([f'Environment="GODEBUG=a%{letter}b" GOGC=1']) == {"GOGC": "1", **({} if letter.isalnum() else {"GODEBUG": f"a%{letter}b"})}
    assert told(["Environment=GODEBUG=%H%m GOGC=%%%U"]) == {"GODEBUG": "%H%m", "GOGC": "%%U"}


ORDER = ("environment", "own", "lines", "files")


@pytest.mark.parametrize("sources", [each for size in range(5) for each in itertools.combinations(ORDER, size)])
@pytest.mark.parametrize("unset", ["", "UnsetEnvironment=GOGC", "UnsetEnvironment=GOGC=lines", "UnsetEnvironment=GOGC=nobody OTHER"])
def test_who_wins(sources: "tuple[str, ...]", unset: str) -> None:
    """The later of them, and what is unset goes at last."""
    given = {source: {"GOGC": source} if source in sources else {} for source in ORDER}
    lines = ["PassEnvironment=GOGC OTHER", *(["Environment=GOGC=lines"] if "lines" in sources else []), unset]
    winner = sources[-1] if sources else ""
    gone = not winner or unset.endswith(("=GOGC", f"={winner}"))
    manager = Manager(252, None, given["environment"], given["own"])
    assert told(lines, files=given["files"], manager=manager) == ({} if gone else {"GOGC": winner})
    assert told(lines[1:], manager=Manager(252, None, {}, {"GOGC": "own"})).get("GOGC") != "own"


def escaped(chance: random.Random, text: str) -> str:
    """A word in one of its many spellings."""
    found = ""
    for letter in text.replace("%", "%%"):
        forms = [f"\\x{ord(letter):02x}", f"\\{ord(letter):03o}", f"\\u{ord(letter):04x}", f"\\U{ord(letter):08X}"]
        found += letter if re.match("[A-Za-z0-9=,%]", letter) and chance.random() < 0.7 else chance.choice(forms)
    cut = sorted(chance.randrange(len(found) + 1) for _end in range(2))
    if "\\" in found or chance.random() < 0.5:
        cut = [0, len(found)]
    quote = chance.choice(["", '"', "'"])
    return found[: cut[0]] + quote + found[cut[0] : cut[1]] + quote + found[cut[1] :]


def random_lines(chance: random.Random) -> List[str]:
    """Settings of a service that may come from any of its files."""
    found = []
    for _line in range(chance.randrange(1, 7)):
        setting = chance.choice(["Environment", "Environment", "UnsetEnvironment", "PassEnvironment"])
        names = [chance.choice([*GO_VARIABLES, "OTHER"]) for _word in range(chance.randrange(4))]
        assigned = [f"{name}={chance.choice(['2', '3', '', 'a b', '%i', chr(7)])}" for name in names]
        some = {"Environment": assigned, "UnsetEnvironment": assigned[:1] + names[1:], "PassEnvironment": names}[setting]
        words = [escaped(chance, word) if setting != "PassEnvironment" else word for word in some]
        found.append(f"{setting}={chance.choice([' ', '  ', ' ' + chr(92) + chr(10)]).join(words)}")
    return found


@pytest.mark.parametrize("seed", range(60))
def test_the_fake_systemd_gives_what_is_foretold(tmp_path: Path, seed: int) -> None:
    """What is foretold of a service, by its files as well as by what systemctl shows of it, is in the environment of its process once it is started."""
    chance = random.Random(seed)
    host = systemd.prepare(tmp_path)
    host.go("/bin/sleep", "go1.27.4")
    host.environment = {name: chance.choice("56") for name in GO_VARIABLES if chance.random() < 0.3}
    host.own = {name: chance.choice("78") for name in GO_VARIABLES if chance.random() < 0.5}
    host.conf = "[Manager]\n" + "".join(f"ManagerEnvironment={name}={value}\n" for name, value in host.own.items())
    host.unit("app@.service", "[Service]\nExecStart=/bin/sleep 9\nEnvironmentFile=-/etc/app*\n" + "\n".join(random_lines(chance)) + "\n")
    for number in range(chance.randrange(3)):
        host.write(f"/etc/app{number}", f"{chance.choice(GO_VARIABLES)}={chance.choice('23')}\n")
    for number in range(chance.randrange(3)):
        host.write(f"{ETC}/app@1.service.d/{number}.conf", "[Service]\n" + "\n".join(random_lines(chance)) + "\n")
    host.reload()
    asked = {name: spec.get("default") for name, spec in ARGUMENT_SPEC["units"]["options"].items()}
    state = look(host, wanted(dict(units=[dict(asked, unit="app@1.service")], restart="never", force=False))).targets[0].unit
    assert state is not None and state.loaded
    (unit,) = observe.units(Machine(host), ["app@1.service"])
    host.start("app@1.service")
    gave = go_variables(host.read(f"/proc/{host.state['active']['app@1.service']['pid']}/environ"))
    assert overlay.told(state, overlay.settings(state, {}, runtime=True)) == gave == unit.environment


def test_environment_files_by_patterns(tmp_path: Path) -> None:
    """In the order of their names, capitals first; a point at the beginning is not matched."""
    host = RootedHost(tmp_path)
    for path, value in (("b/x.env", "1"), ("a/y.env", "2"), ("a/.z.env", "3"), ("B/x.env", "4"), ("c/x.conf", "5"), ("a/[k", "6")):
        host.write(f"/etc/app/{path}", f"GOGC={value}\n")
    for pattern, expected in (("*/*.env", "1"), ("[aB]/*.env", "2"), ("B*/?.env", "4"), ("c/x.conf", "5"), ("a/.z*", "3"), ("none/*", None), ("none", None)):
        assert observe.environment_files(host, f"/etc/app/{pattern} (ignore_errors=yes)", 252).get("GOGC") == expected
    assert observe.environment_files(host, "/etc/app/b/x.env (ignore_errors=no)\n/etc/app/a/y.env (ignore_errors=no)", 252) == {"GOGC": "2"}


def test_systemds_own_environment(tmp_path: Path) -> None:
    host = FakeSystemd(tmp_path)
    host.conf = '# /etc/x\n[Manager]\nManagerEnvironment=GOGC=1 A=2\nManagerEnvironment=\n[Manager]\nManagerEnvironment="GOGC=%%3" GODEBUG=x\n'
    assert observe.own_environment(host) == {"GOGC": "%3", "GODEBUG": "x"}
    host.write("/proc/1/environ", "GOGC=7\0GOMAXPROCS=8\0TOKEN=x\0")
    assert observe.own_environment(host) == {"GOGC": "%3", "GODEBUG": "x", "GOMAXPROCS": "8"}
    host.conf = ""
    assert observe.own_environment(host) == {"GOGC": "7", "GOMAXPROCS": "8"}


def test_systemds_version_and_environment(tmp_path: Path) -> None:
    host = FakeSystemd(tmp_path)
    host.environment = {"GODEBUG": "a b$", "TOKEN": "x", "GOGC": "3"}
    assert observe.manager(host) == Manager(252, TASKS * 15 // 100, {"GODEBUG": "a b$", "GOGC": "3"})
    host.fails["show"] = "no bus"
    assert observe.manager(host) == Manager()

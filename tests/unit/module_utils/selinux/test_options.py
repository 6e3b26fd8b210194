# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any, Dict

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import Boolean, Fcontext, ModuleWish, Port, Restore, Scope, Wanted
from ansible_collections.gohost.linux.plugins.module_utils.selinux.options import ARGUMENT_SPEC, root_of, wanted

FILES = {"/m.cil": b"(type m_t)\n", "/m.pp": b"\x8f\xff\x7c\xf9\x01", "/m.bin": b"\xff\xfe", "/empty": b" \n", "/zero": b"(a)\0"}


def filled(spec: Dict[str, Any], given: Dict[str, Any]) -> Dict[str, Any]:
    """Parameters as Ansible hands them over: defaults in their places, lists and dictionaries too."""
    found = {}
    for name, option in spec.items():
        value = given.get(name, option.get("default"))
        if "options" in option and value is not None:
            value = [filled(option["options"], entry) for entry in value] if option["type"] == "list" else filled(option["options"], value)
        found[name] = value
    assert set(given) <= set(spec)
    return found


def wish(**given: Any) -> Wanted:
    return wanted(filled(ARGUMENT_SPEC, given), FILES.__getitem__, {"old_name": "new_name"})


def test_everything() -> None:
    found = wish(
        fcontexts=[{"target": "/a(/.*)?", "setype": "a_t"}, {"target": "/b", "ftype": "f", "state": "absent"}],
        equivalences=[{"path": "/c/", "source": "/d//e/"}, {"path": "/f", "state": "absent"}],
        ports=[{"proto": "tcp", "port": "80", "setype": "p_t"}, {"proto": "udp", "port": "10-20", "state": "absent"}],
        booleans=[{"name": "old_name", "state": True}, {"name": "b", "state": False, "persistent": False}],
        modules=[{"name": "m", "path": "/m.cil"}, {"name": "n", "cil": "(x)", "priority": 300}, {"name": "o", "state": "disabled"}],
        permissive=[{"domain": "a_t"}, {"domain": "b_t", "state": "absent"}],
        restore={"paths": ["/x/"], "changed": True, "force": True},
        purge={"fcontexts": {"prefix": "/x/"}, "ports": {"setype": "p_t", "proto": "tcp"}, "modules": {"prefix": "go_"}},
        reload=False,
    )
    assert found == Wanted(
        fcontexts={("/a(/.*)?", "a"): Fcontext("/a(/.*)?", "a", "a_t"), ("/b", "f"): None},
        equivalences={"/c": "/d/e", "/f": None},
        ports={("tcp", 80, 80): Port("tcp", 80, 80, "p_t"), ("udp", 10, 20): None},
        booleans={"new_name": Boolean("new_name", True), "b": Boolean("b", False, False)},
        modules={("m", 400): ModuleWish("present", "(type m_t)\n"), ("n", 300): ModuleWish("present", "(x)"), ("o", 400): ModuleWish("disabled")},
        permissive={"a_t": True, "b_t": False},
        purge={"fcontexts": Scope("/x"), "ports": Scope("", "p_t", "tcp"), "modules": Scope("go_")},
        restore=Restore(("/x",), True, True),
        reload=False,
    )


def test_nothing() -> None:
    assert wish() == Wanted()


def test_the_same_wish_twice_is_one() -> None:
    entry = {"target": "/a", "setype": "a_t"}
    assert len(wish(fcontexts=[entry, entry]).fcontexts) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fcontexts": [{"target": "a", "setype": "a_t"}]}, "starts with a slash"),
        ({"fcontexts": [{"target": "/a b", "setype": "a_t"}]}, "white space"),
        ({"fcontexts": [{"target": "/a\nb", "setype": "a_t"}]}, "white space"),
        ({"fcontexts": [{"target": "/a/", "setype": "a_t"}]}, r"Write /a or /a\(/\.\*\)\?"),
        ({"fcontexts": [{"target": "/a"}]}, "setype is missing"),
        ({"fcontexts": [{"target": "/a", "setype": "a_t"}, {"target": "/a", "setype": "b_t"}]}, "two wishes for one thing: /a a"),
        ({"fcontexts": [{"target": "/a", "setype": "a_t"}, {"target": "/a", "state": "absent"}]}, "two wishes"),
        ({"equivalences": [{"path": "a", "source": "/b"}]}, "absolute"),
        ({"equivalences": [{"path": "/a"}]}, "source is missing"),
        ({"equivalences": [{"path": "/a/", "source": "/a"}]}, "the same"),
        ({"equivalences": [{"path": "/a b", "source": "/c"}]}, "white space"),
        ({"equivalences": [{"path": "/a", "source": "/b"}, {"path": "/a/", "source": "/c"}]}, "two wishes"),
        ({"ports": [{"proto": "tcp", "port": "0", "setype": "a_t"}]}, "not a port"),
        ({"ports": [{"proto": "tcp", "port": "65536", "setype": "a_t"}]}, "not a port"),
        ({"ports": [{"proto": "tcp", "port": "20-10", "setype": "a_t"}]}, "not a port"),
        ({"ports": [{"proto": "tcp", "port": "http", "setype": "a_t"}]}, "not a port"),
        ({"ports": [{"proto": "tcp", "port": "80"}]}, "setype is missing"),
        ({"booleans": [{"name": "a b", "state": True}]}, "not a name"),
        ({"booleans": [{"name": "../x", "state": True}]}, "not a name"),
        ({"booleans": [{"name": "old_name", "state": True}, {"name": "new_name", "state": False}]}, "two wishes"),
        ({"modules": [{"name": "1a", "cil": "(x)"}]}, "a module can have"),
        ({"modules": [{"name": "permissive_x_t", "cil": "(x)"}]}, "Use the option permissive"),
        ({"modules": [{"name": "a", "cil": "(x)", "priority": 0}]}, "between 1 and 999"),
        ({"modules": [{"name": "a", "cil": "(x)", "priority": 1000}]}, "between 1 and 999"),
        ({"modules": [{"name": "a"}]}, "neither cil nor path"),
        ({"modules": [{"name": "a", "cil": " "}]}, "not the text"),
        ({"modules": [{"name": "a", "path": "/m.pp"}]}, "Convert it"),
        ({"modules": [{"name": "a", "path": "/m.bin"}]}, "not the text"),
        ({"modules": [{"name": "a", "path": "/empty"}]}, "not the text"),
        ({"modules": [{"name": "a", "path": "/zero"}]}, "not the text"),
        ({"permissive": [{"domain": "(x)"}]}, "not a name"),
        ({"restore": {"paths": ["x"]}}, "absolute"),
        ({"purge": {"fcontexts": {"prefix": "x"}}}, "absolute"),
    ],
)
def test_refused(given: Dict[str, Any], message: str) -> None:
    with pytest.raises(GoHostError, match=message) as caught:
        wish(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "root"), [("/", "/"), ("//", "/"), ("/srv/image/", "/srv/image"), ("/srv//x/../y", "/srv/y")])
def test_root(given: str, root: str) -> None:
    assert root_of({"root": given}) == root


def test_root_must_be_absolute() -> None:
    with pytest.raises(GoHostError, match="absolute"):
        root_of({"root": "image"})

# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host as a module has it, in a real module's process."""

import json
import os
import subprocess
import sys

MODULE = """
import json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = b'{"ANSIBLE_MODULE_ARGS": {}}'
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.gohost.linux.plugins.module_utils.ansible_host import AnsibleHost
host = AnsibleHost(basic.AnsibleModule({}))
asked = [[sys.executable, "-c", "import os, sys; print(os.environ['LC_ALL']); sys.stderr.write('e'); sys.exit(3)"], ["/nonexistent/program", "x"]]
print(json.dumps([host.run(argv)[1:] for argv in asked]))
"""


def test_run() -> None:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run([sys.executable, "-c", MODULE], env=environment, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == [[3, "C\n", "e"], [127, "", ""]]

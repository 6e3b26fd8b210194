# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install one release from a local archive in a new store, and print the seconds from the first look at the host to the last.

FORMAT ARCHIVE VERSION DIGEST DIRECTORY, in a process of its own: what the module does, without Ansible around it.
"""

import os
import sys
import time

from ansible_collections.gohost.linux.plugins.module_utils.toolchain.converge import converge
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Candidate, HttpSettings, Wanted
from tests.fakes.host import RealHost

form, path, version, digest, directory = sys.argv[1:]
os.makedirs(directory)
wanted = Wanted(f"{directory}/go", (version,), links=f"{directory}/bin")
start = time.perf_counter()
outcome = converge(RealHost(), wanted, {version: [Candidate("file", 0, form, "", path, (digest,), "user", "always")]}, HttpSettings())
end = time.perf_counter()
assert outcome.done
print(end - start)

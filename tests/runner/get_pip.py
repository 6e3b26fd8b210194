# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the script with which ansible-test bootstraps pip, and which it otherwise downloads.

It bootstraps from the interpreter's own ensurepip, then installs what was asked from the configured index.
Runs as a script of its own in ansible-test's virtual environments, on every Python that ansible-test tests.
"""

import os
import subprocess
import sys


def main():
    # type: () -> int
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    status = subprocess.call([sys.executable, "-m", "ensurepip", "--upgrade"], env=clean)
    wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
    return status or subprocess.call([sys.executable, "-m", "pip", "install"] + wanted)


if __name__ == "__main__":
    sys.exit(main())

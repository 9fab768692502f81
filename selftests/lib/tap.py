# SPDX-License-Identifier: GPL-2.0-only
"""What tests in Python have in common: results as TAP, something to look at."""

import os
import signal
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IOX = os.environ.get("IOX", TOP + "/build/bin/iox")
# So many maps, as many unmaps, and so many unmaps that fail
LOAD = [TOP + "/build/selftests/iox_test", "load"]
# Emulated, on a busy machine
PATIENCE = 60


class Failure(Exception):
    """A test has found something."""


class Skip(Exception):
    """There is no way to test it here."""


def expect(condition, what):
    if not condition:
        raise Failure(what)


def load(maps, fails):
    subprocess.run(LOAD + [str(maps), str(fails)], check=True, stdout=subprocess.DEVNULL)


class Load:
    """Something to look at: maps and unmaps, some of which fail, as long as it lasts"""

    def __init__(self, pause=":"):
        self.pause = pause
        self.process = None

    def __enter__(self):
        script = f"while :; do {' '.join(LOAD)} 20 5; {self.pause}; done"
        self.process = subprocess.Popen(["sh", "-c", script], start_new_session=True,
                                        stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def unload_iommufd():
    for module in ("vfio_pci", "vfio", "iommufd"):
        subprocess.run(["modprobe", "-r", module], check=True)


def load_iommufd():
    subprocess.run(["modprobe", "-a", "iommufd", "vfio-pci"], check=True)


def run_tests(tests):
    """Those that are named in the arguments, or all."""
    chosen = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    failed = False

    print(f"TAP version 13\n1..{len(chosen)}", flush=True)
    for number, test in enumerate(chosen, 1):
        verdict, reason = "ok", ""
        try:
            test()
        except Skip as why:
            reason = f" # SKIP {why}"
        except (Failure, OSError, subprocess.SubprocessError) as why:
            verdict, failed = "not ok", True
            print("\n".join(f"# {line}" for line in (str(why) or repr(why)).splitlines()))
        print(f"{verdict} {number} {test.__name__}{reason}", flush=True)
    sys.exit(failed)

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What commands that stay give up once they count, that they go on counting, and what is as before for what they run."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from tap import IOX, PATIENCE, Load, expect, load, load_iommufd, run_tests

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, KILL, SYS_ADMIN = (1 << n for n in (1, 2, 3, 5, 21))
KINDS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def wait_for(what, told):
    end = time.monotonic() + PATIENCE
    while not told():
        expect(time.monotonic() < end, f"waited for {what}")
        time.sleep(0.05)


class Running:
    """A command that stays; what it prints is in a file."""

    def __init__(self, *words, prefix=()):
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*prefix, IOX, *words], stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT)

    def __enter__(self):
        wait_for("it to give up privileges", lambda: self.process.poll() is not None or
                 status(self.process.pid).get("NoNewPrivs") == "1")
        expect(self.process.poll() is None, f"it ended: {self.said()}")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.output.close()

    def said(self):
        self.output.seek(0)
        return self.output.read()

    def ends(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        return self.said()

    def has(self, wanted):
        found = {kind: int(status(self.process.pid)[kind], 16) for kind in KINDS}
        expect(found == {kind: 0 if kind in ("CapInh", "CapAmb") else wanted for kind in KINDS}, found)


def folder_of_nobody():
    folder = tempfile.mkdtemp()
    os.chown(folder, 65534, 65534)
    return folder


def have_none():
    for words in (["stat"], ["stat", "--by", "process"], ["trace"], ["top", "-b"], ["record", "-o", "/dev/null"],
                  ["report", "-o", "/dev/null"], ["exporter", "--listen", "127.0.0.1:0"]):
        with Running(*words) as r:
            r.has(0)


def paths_of_cgroups_need_one():
    for words in (["stat", "--by", "cgroup"], ["top", "-b", "--by", "cgroup"]):
        with Running(*words) as r:
            r.has(DAC_READ_SEARCH)


def a_command_of_another_user_needs_one():
    for words in (["stat"], ["trace"], ["record", "-o", "/dev/null"], ["report", "-o", "/dev/null"]):
        with Running(*words, "--", "sleep", "1000") as r:
            r.has(KILL)
            r.ends()


def a_page_to_be_renamed_needs_two():
    folder = tempfile.mkdtemp()
    try:
        with Running("report", "-o", folder + "/page") as r:
            r.has(DAC_OVERRIDE | FOWNER)
    finally:
        shutil.rmtree(folder)


def the_screen_needs_what_loads_probes():
    pid, fd = pty.fork()
    if not pid:
        os.environ["TERM"] = "linux"
        os.execv(IOX, ["iox", "top"])
    try:
        wait_for("it to give up privileges", lambda: status(pid)["NoNewPrivs"] == "1")
        expect(int(status(pid)["CapPrm"], 16) == SYS_ADMIN | DAC_READ_SEARCH, status(pid)["CapPrm"])
        # Asks for other probes, by process, and sees ours.
        os.write(fd, b"2")
        said = b""
        with Load():
            while b"iox_test" not in said:
                expect(select.select([fd], [], [], PATIENCE)[0], said[-1000:])
                said += os.read(fd, 65536)
        os.write(fd, b"q")
        expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "it failed")
    finally:
        os.close(fd)


def count_on():
    with Running("stat") as r:
        load(10, 0)
        said = r.ends()
    expect(any(line.split()[:2] == ["map", "10"] for line in said.splitlines()), said)


def trace_on():
    with Running("trace") as r:
        load(10, 0)
        said = r.ends()
    expect(sum(" map " in line for line in said.splitlines()) == 10, said)


def record_on():
    with tempfile.NamedTemporaryFile() as f, Running("record", "-o", f.name) as r:
        load(10, 0)
        said = r.ends()
        expect(said.startswith("21 requests on 1 address spaces recorded"), said)


def report_into_a_folder_of_another_user():
    folder = folder_of_nobody()
    try:
        with Running("report", "-o", folder + "/page") as r:
            load(10, 0)
            said = r.ends()
        expect(os.listdir(folder) == ["page"], f"{os.listdir(folder)} {said}")
    finally:
        shutil.rmtree(folder)


def tell_paths_of_cgroups():
    cgroup = "/sys/fs/cgroup/iox-privilege"
    os.mkdir(cgroup)
    try:
        with Running("stat", "--by", "cgroup") as r:
            subprocess.run(["sh", "-c", f"echo 0 >{cgroup}/cgroup.procs && {os.path.dirname(IOX)}/../selftests/iox_test load 10 0"],
                           check=True, stdout=subprocess.DEVNULL)
            said = r.ends()
        expect(f" {cgroup} " in said, said)
    finally:
        os.rmdir(cgroup)


def end_a_command_of_another_user():
    with Running("stat", "--", *NOBODY, "sleep", "1000") as r:
        child = lambda: subprocess.run(["pgrep", "-P", str(r.process.pid), "-u", "65534", "-x", "sleep"],
                                       capture_output=True, check=False).returncode == 0
        wait_for("the command", child)
        r.ends()
    expect(r.process.returncode == 128 + signal.SIGTERM, r.process.returncode)


def leave_the_command_all_that_it_had():
    with Running("stat", "--", "sleep", "1000") as r:
        pid = subprocess.run(["pgrep", "-P", str(r.process.pid), "-x", "sleep"], capture_output=True, text=True,
                             check=True).stdout
        mine, its = status("self"), status(pid.strip())
        expect([its[k] for k in KINDS] == [mine[k] for k in KINDS] and its["NoNewPrivs"] == "0", its)
        r.ends()


def need_one_to_begin():
    """Of those in docs/integrity.md"""
    for words in (["stat"], ["trace"], ["record", "-o", "/dev/null"], ["report", "-o", "/dev/null"], ["top", "-b"],
                  ["exporter", "--listen", "127.0.0.1:0"]):
        with Running(*words, prefix=("setpriv", "--bounding-set=-all,+sys_admin", "--inh-caps=-all", "--")) as r:
            for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                expect(int(status(r.process.pid)[kind], 16) == 0, status(r.process.pid))


load_iommufd()
run_tests((have_none, paths_of_cgroups_need_one, a_command_of_another_user_needs_one, a_page_to_be_renamed_needs_two,
           the_screen_needs_what_loads_probes, count_on, trace_on, record_on, report_into_a_folder_of_another_user,
           tell_paths_of_cgroups, end_a_command_of_another_user, leave_the_command_all_that_it_had, need_one_to_begin))

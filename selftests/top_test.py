#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""iox top on terminals of several sizes, which change, get keys, and go away; and as text."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from tap import IOX, PATIENCE, Failure, Load, expect, load, load_iommufd, run_tests, unload_iommufd


class Terminal:
    """A program on a terminal, and what is to be seen there."""

    def __init__(self, rows, columns, *args, **environment):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            # The size is to be right before there is a program.
            sys.stdin.readline()
            os.environ.update({"TERM": "linux", "LC_ALL": "C.UTF-8", **environment})
            os.execv(IOX, ["iox", "top", *args])
        self.before = termios.tcgetattr(self.fd)
        self.set_size(rows, columns)
        os.write(self.fd, b"\n")

    def set_size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self.set_size(rows, columns)

    def take(self, seconds):
        """Whether the program is still there"""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    def text(self):
        return "\n".join(self.screen.display)

    def see(self, pattern):
        """Waits until @pattern is on the screen."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text(), re.M):
            expect(self.take(0.1), f"ended before it showed '{pattern}':\n{self.text()}")
            expect(time.monotonic() < end, f"never showed '{pattern}':\n{self.text()}")

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def wait(self):
        """How it ended, as subprocess has it"""
        end = time.monotonic() + PATIENCE
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise Failure(f"does not end:\n{self.text()}")
            if self.fd >= 0:
                self.take(0.1)
            else:
                time.sleep(0.05)

    def ends(self, status):
        """It ends so, and leaves the terminal as it was."""
        ended = self.wait()
        while self.take(0.1) and select.select([self.fd], [], [], 0)[0]:
            pass
        expect(ended == status, f"ended with {ended}:\n{self.text()}")
        expect(termios.tcgetattr(self.fd) == self.before, "the terminal's modes are not restored")
        expect(b"\x1b[?25h" in self.raw.rpartition(b"\x1b[?25l")[2], "the cursor stays hidden")
        os.close(self.fd)

    def hang_up(self):
        os.close(self.fd)
        self.fd = -1


def run(*args, **more):
    return subprocess.run([IOX, "top", *args], capture_output=True, text=True, check=False,
                          timeout=PATIENCE, **more)


# --- tests -------------------------------------------------------------------


def shows_calls_at_80x24():
    with Load():
        t = Terminal(24, 80, "-i", "0.5")
        t.see(r"^iox top by op, every 0.5 s: [0-9.]*[1-9]\d* calls/s")
        t.see(r"^CALL +\*CALL/s +BYTE/s +P50 +P99 +MAX FAIL/s CALL/s")
        t.see(r"^map +\d+ +[0-9.]+ [KM]?i?B +[0-9.]+ [um]s +[0-9.]+ [um]s +[0-9.]+ [um]s +0 .*[▁-█]")
        t.see(r"^unmap +\d+ .* [1-9][0-9.]* ")
        expect(t.screen.display[23].startswith("q quit"), "no help in the last line")
        t.press("q")
        t.ends(0)


def trend_is_ascii_without_utf8():
    with Load():
        t = Terminal(24, 80, "-i", "0.3", LC_ALL="C")
        t.see(r"^map .*#")
        expect(t.text().isascii(), f"not ASCII:\n{t.text()}")
        t.press("q")
        t.ends(0)


def shows_what_there_is_room_for():
    with Load():
        for rows, columns in ((10, 40), (60, 200)):
            t = Terminal(rows, columns, "-i", "0.3")
            t.see(r"^map +[1-9]")
            expect(("MAX" in t.text()) == (columns == 200), f"wrong columns:\n{t.text()}")
            expect("P99" in t.text(), f"no P99:\n{t.text()}")
            t.press("q")
            t.ends(0)


def bears_any_size():
    for rows, columns in ((1, 1), (2, 2), (3, 7), (4, 16), (1, 200), (60, 1), (200, 500)):
        t = Terminal(rows, columns, "-i", "0.1", "-n", "3")
        t.ends(0)


def follows_the_size():
    with Load():
        t = Terminal(10, 40, "-i", "0.3")
        t.see(r"^map +[1-9]")
        for rows, columns in ((60, 200), (1, 5), (24, 80), (3, 3), (30, 100)):
            t.resize(rows, columns)
            time.sleep(0.2)
        t.see("^CALL .* MAX")
        t.see("h help *\\Z")
        t.press("q")
        t.ends(0)


def obeys_keys():
    with Load():
        t = Terminal(24, 100, "-i", "0.5")
        t.see(r"^map +[1-9]")
        t.press(">")
        t.see(r"\*BYTE/s")
        t.press("r")
        t.see(r"\^BYTE/s")
        t.press("<")
        t.see(r"\^CALL/s")
        t.press("t")
        t.see(r"FAIL/s P99 ")
        t.press("h")
        t.see("^p +pause")
        t.press("h")
        t.see("^map ")
        t.press("+")
        t.see("every 1 s")
        t.press("--")
        t.see("every 0.25 s")
        t.press("p")
        t.see(", paused")
        shown = t.text()
        for _ in range(8):
            t.take(0.1)
        expect(t.text() == shown, "goes on though it is paused")
        t.press("p")
        t.see("every 0.25 s: ")
        t.press("x\x1b[Z\x00\x7f")
        t.press("q")
        t.ends(0)


def chooses_rows():
    with Load():
        t = Terminal(24, 80, "-i", "0.3")
        for key, rows, name in (("2", "process", r"\d+ iox_test"), ("3", "ioas", r"\d+ of context"),
                                ("4", "cgroup", "/sys/fs/cgroup"), ("5", "backing", "user"),
                                ("1", "op", "map")):
            t.press(key)
            t.see(f"by {rows},")
            t.see(f"^{name} +[a-z0-9]")
        t.press("q")
        t.ends(0)


def scrolls():
    t = Terminal(6, 80, "-i", "0.2")
    t.see("^map ")
    t.press("\x1b[B" * 20)
    t.see("^destroy ")
    expect("map " not in t.screen.display[2], f"did not scroll:\n{t.text()}")
    t.press("\x1b[A" * 30)
    t.see("^map ")
    t.press("q")
    t.ends(0)


def signals_end_it():
    for number in (signal.SIGINT, signal.SIGTERM):
        t = Terminal(24, 80)
        t.see("^q quit")
        os.kill(t.pid, number)
        t.ends(0)
    t = Terminal(24, 80)
    t.see("^q quit")
    t.press("\x03")
    t.ends(0)
    t = Terminal(24, 80)
    t.see("^q quit")
    os.kill(t.pid, signal.SIGHUP)
    t.ends(1)
    expect(b"the terminal: is gone" in t.raw, "does not say why it ends")


def ends_with_its_terminal():
    t = Terminal(24, 80)
    t.see("^q quit")
    t.hang_up()
    expect(t.wait() == 1, "the end of the terminal is no failure")


def needs_a_terminal_or_b():
    for args in ({"stdin": subprocess.DEVNULL}, {}):
        r = run(**args)
        expect(r.returncode == 1 and not r.stdout, r)
        expect(r.stderr == "iox top: no terminal: standard input and output are to be one; "
               "use 'iox top -b' or 'iox stat -i 1'\n", r.stderr)
    t = Terminal(24, 80, TERM="no-such-terminal")
    expect(t.wait() == 1, "bears a terminal that nobody knows")
    t.take(1)
    expect("no-such-terminal: no such type of terminal" in t.text(), t.text())


def batch_counts():
    with Load():
        r = run("-b", "-n", "3", "-i", "0.3", "--by", "process", env={"LC_ALL": "C"})
    expect(r.returncode == 0 and not r.stderr, r)
    expect(r.stdout.count("iox top by process, every 0.3 s: ") == 3, r.stdout)
    expect(re.search(r"^\d+ iox_test +map +\d+ ", r.stdout, re.M), r.stdout)
    expect("\x1b" not in r.stdout and r.stdout.isascii(), r.stdout)


def batch_says_what_goes_wrong():
    with open("/dev/full", "w", encoding="ascii") as full:
        r = subprocess.run([IOX, "top", "-b", "-i", "0.1"], stdout=full, stderr=subprocess.PIPE,
                           text=True, timeout=PATIENCE, check=False)
    expect(r.returncode == 1, r)
    expect(r.stderr == "iox top: standard output: No space left on device\n", r.stderr)
    r = subprocess.run(f"{IOX} top -b -i 0.1 | head -n 1", shell=True, capture_output=True,
                       text=True, timeout=PATIENCE, check=False)
    expect(r.stderr == "iox top: standard output: Broken pipe\n", r.stderr)
    r = subprocess.run(["setpriv", "--bounding-set=-all", "--", IOX, "top", "-b"],
                       capture_output=True, text=True, timeout=PATIENCE, check=False)
    expect(r.returncode == 1 and r.stderr.endswith("; run it as root\n"), r)
    expect(r.stderr.count("\n") == 1, r.stderr)


def without_iommufd_it_says_what_to_do():
    unload_iommufd()
    r = run("-b")
    load_iommufd()
    expect(r.returncode == 1, r)
    expect(r.stderr == "iox top: iommufd: is not loaded; run 'modprobe iommufd'\n", r.stderr)


def wrong_usage_gives_2():
    for args in (["-i"], ["-i", "0"], ["-n", "x"], ["-r", "x"], ["-s", "x"], ["-w", "80"],
                 ["-b", "-w", "0"], ["more"], ["--bogus"]):
        r = run(*args)
        expect(r.returncode == 2 and r.stderr.startswith("iox top: "), (args, r))


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * 4


def idle_rows_go():
    for by, name in (("process", r"\d+ iox_test"), ("backing", "user")):
        t = Terminal(24, 80, "-i", "0.02", "--by", by)
        t.see("^no calls yet")
        for _ in range(2):
            load(50, 0)
            t.see(f"^{name} +map +[0-9.]+ ")
            t.see("^no calls yet")
        t.press("q")
        t.ends(0)


def memory_stays_flat():
    """Thousands of refreshes, while processes come and go"""
    by_process = subprocess.Popen([IOX, "top", "-b", "-i", "0.001", "--by", "process"],
                                  stdout=subprocess.DEVNULL)
    t = Terminal(24, 80, "-i", "0.001")
    t.see("^q quit")
    programs, refreshes = (t.pid, by_process.pid), 0
    with Load("sleep 0.3"):
        while refreshes < 1200:
            expect(select.select([t.fd], [], [], PATIENCE)[0], "nothing new")
            os.read(t.fd, 65536)
            refreshes += 1
            if refreshes == 300:
                early = [resident(p) for p in programs]
    grown = [resident(p) - e for p, e in zip(programs, early)]
    by_process.terminate()
    os.kill(t.pid, signal.SIGTERM)
    expect(by_process.wait(PATIENCE) == 0 and t.wait() == 0, "does not end well")
    # There may be more processes to show later than early.
    expect(grown[0] <= 256 and grown[1] <= 4096, f"grew by {grown} KiB in 900 refreshes")


if __name__ == "__main__":
    run_tests((shows_calls_at_80x24, trend_is_ascii_without_utf8, shows_what_there_is_room_for,
               bears_any_size, follows_the_size, obeys_keys, chooses_rows, scrolls, signals_end_it,
               ends_with_its_terminal, needs_a_terminal_or_b, batch_counts, batch_says_what_goes_wrong,
               without_iommufd_it_says_what_to_do, wrong_usage_gives_2, idle_rows_go, memory_stays_flat))



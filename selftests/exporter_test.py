#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""iox exporter: its numbers are those of the calls that were made, its answers are HTTP and metrics."""

import fcntl
import http.client
import json
import math
import mmap
import ctypes
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from tap import IOX, PATIENCE, TOP, Load, Skip, expect, load, load_iommufd, run_tests, unload_iommufd

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PAGE = 4096


class Exporter:
    """One that listens on a port of its own"""

    def __init__(self, *prefix, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([*prefix, IOX, "exporter", "--listen", listen],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        where = re.fullmatch(r"listening on http://(.*):(\d+)/metrics\n", line)
        expect(where, f"says '{line}', {self.process.stderr.read() if not line else ''}")
        self.host, self.port = where[1].strip("[]"), int(where[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self, path="/metrics", method="GET", **headers):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    def scrape(self):
        answer = self.ask()
        expect(answer.status == 200, answer.text)
        return parse(answer.text)

    def ends(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        expect(self.process.returncode == 0 and not out and not err,
               (self.process.returncode, out, err))


# --- reading metrics, strictly --------------------------------------------------

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")


class Family:
    def __init__(self, name, described):
        self.name, self.described, self.kind = name, described, None
        self.samples = {}

    def names(self, open_metrics):
        if self.kind == "histogram":
            return [self.name + end for end in ("_bucket", "_sum", "_count")]
        return [self.name + "_total"] if self.kind == "counter" and open_metrics else [self.name]


def check_name(family, open_metrics):
    """What promtool finds fault with"""
    total = family.name.endswith("_total")
    expect(total == (family.kind == "counter" and not open_metrics), f"{family.name}: _total")
    expect(re.fullmatch("iox_[a-z0-9_]+", family.name), f"{family.name}: not a name of ours")
    expect(not re.search("_(ns|us|ms|kib|milliseconds|info_total)(_|$)", family.name),
           f"{family.name}: not a base unit")


def check_histogram(family):
    series = {}
    for (name, labels), value in family.samples.items():
        rest = tuple(l for l in labels if l[0] != "le")
        series.setdefault(rest, {})[name.rpartition("_")[2], dict(labels).get("le")] = value
    for labels, values in series.items():
        buckets = [(float(le), v) for (end, le), v in values.items() if end == "bucket"]
        for column in zip(*buckets):
            expect(list(column) == sorted(column), f"{labels}: not cumulative: {buckets}")
        expect(len({le for le, _ in buckets}) == 28, f"{labels}: {len(buckets)} buckets")
        expect(math.isinf(buckets[-1][0]), f"{labels}: does not end with +Inf")
        expect(buckets[-1][1] == values["count", None], f"{labels}: not all are in buckets")
        low = sum((v - b) * le for (_, b), (_, v), (le, _) in
                  zip(buckets, buckets[1:], [(0, 0)] + buckets[1:]) if not math.isinf(le))
        expect(values["sum", None] * 2.0000001 >= low / 2, f"{labels}: sum is too low")


def parse(text, open_metrics=False):
    """{ (name, labels): value } of @text, which is as the format's documents want it"""
    families, samples, current = {}, {}, None
    expect(text.endswith("# EOF\n" if open_metrics else "\n"), "ends in the middle")
    lines = text.splitlines()
    for line in lines[:-1] if open_metrics else lines:
        if line.startswith("# HELP "):
            _, _, name, described = line.split(" ", 3)
            expect(name not in families, f"{name} comes twice")
            expect(described and "\\" not in described, line)
            current = families[name] = Family(name, described)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            expect(current and name == current.name and not current.kind, line)
            expect(kind in ("counter", "gauge", "histogram"), line)
            current.kind = kind
        else:
            match = SAMPLE.fullmatch(line)
            expect(match, f"not a sample: {line}")
            expect(current and match[1] in current.names(open_metrics), f"wrong family: {line}")
            labels = tuple((k, v) for k, v in re.findall(LABEL, match[2] or ""))
            key = match[1], labels
            expect(len(dict(labels)) == len(labels) and key not in samples, f"twice: {line}")
            expect(re.fullmatch(r"\d+(\.\d+)?", match[match.lastindex]), line)
            samples[key] = current.samples[key] = float(match[match.lastindex])
    for family in families.values():
        expect(family.kind, f"{family.name} has no type")
        check_name(family, open_metrics)
        if family.kind == "histogram":
            check_histogram(family)
    return samples


def get(samples, name, **labels):
    return samples[name, tuple(labels.items())]


def is_ours(samples):
    return any(name == "iox_info" and ("iommufd", "iox") in labels for name, labels in samples)


# --- calls of our own -----------------------------------------------------------


class Iommufd:
    """/dev/iommu with one address space, and memory to map"""

    def __init__(self):
        self.fd = os.open("/dev/iommu", os.O_RDWR | os.O_CLOEXEC)
        self.ioas = struct.unpack("=III", self.call(0x81, struct.pack("=III", 12, 0, 0)))[2]
        self.memory = mmap.mmap(-1, 16 * PAGE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def call(self, number, argument):
        return fcntl.ioctl(self.fd, 0x3b00 + number, argument)

    def map(self, length):
        made = self.call(0x85, struct.pack("=IIIIQQQ", 40, 6, self.ioas, 0, self.address, length, 0))
        return struct.unpack("=IIIIQQQ", made)[6]

    def unmap(self, iova, length):
        self.call(0x86, struct.pack("=IIQQ", 24, self.ioas, iova, length))

    def close(self):
        os.close(self.fd)


# --- tests ----------------------------------------------------------------------


def counts_what_was_called():
    with Exporter() as e:
        load(300, 50)
        now = e.scrape()
    for op, count, failed in (("map", 300, 0), ("unmap", 350, 50), ("map-file", 0, 0)):
        if ("iox_map_operations_total", (("op", op),)) not in now and not is_ours(now):
            continue
        expect(get(now, "iox_map_operations_total", op=op) == count, f"{op}: {now}")
        expect(get(now, "iox_map_failures_total", op=op) == failed, f"{op} failed: {now}")
        expect(get(now, "iox_map_latency_seconds_count", op=op) ==
               count - get(now, "iox_map_untimed_total", op=op), f"{op} timed: {now}")
    expect(get(now, "iox_map_bytes_total", op="map") == 300 * PAGE, now)
    expect(0 < get(now, "iox_map_latency_seconds_sum", op="map") < PATIENCE, now)
    expect(get(now, "iox_probe_skipped_total") == 0, now)
    expect(get(now, "iox_exporter_scrapes_total") == 1, now)


def counts_bytes_and_choosers():
    with Exporter() as e:
        iommufd = Iommufd()
        placed = [(iommufd.map(n * PAGE), n * PAGE) for n in range(1, 11)]
        for iova, length in placed[:4]:
            iommufd.unmap(iova, length)
        iommufd.close()
        now = e.scrape()
    expect(get(now, "iox_map_operations_total", op="map") == 10, now)
    expect(get(now, "iox_map_bytes_total", op="map") == 55 * PAGE, now)
    expect(get(now, "iox_map_bytes_total", op="unmap") == 10 * PAGE, now)
    if not is_ours(now):
        raise Skip("Linux's own iommufd does not tell who chose")
    expect(get(now, "iox_map_iovas_total", op="map", chooser="built-in") == 10, now)
    expect(get(now, "iox_map_stage_seconds_count", op="map", stage="select") == 10, now)


def never_goes_back():
    """Two scrapers, while there are calls"""
    wrong = []

    def watch(e):
        last = {}
        for _ in range(25):
            now = e.scrape()
            for key, value in last.items():
                if now.get(key, -1) < value and not key[0].endswith("_seconds"):
                    wrong.append((key, value, now.get(key)))
            last = now

    with Exporter() as e, Load():
        scrapers = [threading.Thread(target=watch, args=(e,)) for _ in range(2)]
        for s in scrapers:
            s.start()
        for s in scrapers:
            s.join(3 * PATIENCE)
        expect(not wrong, wrong[:3])
        now = e.scrape()
        expect(get(now, "iox_exporter_scrapes_total") == 51, now)
        expect(get(now, "iox_map_operations_total", op="map") > 0, now)


def tells_of_policies():
    if not os.path.isdir("/sys/kernel/iox/iova_policies"):
        raise Skip("this kernel has no policies")
    policy = [IOX, "policy"]
    subprocess.run(policy + ["load", TOP + "/build/bpf/top_down.bpf.o"], check=True,
                   stdout=subprocess.DEVNULL)
    try:
        with Exporter() as e:
            iommufd = Iommufd()
            for _ in range(7):
                iommufd.map(PAGE)
            now = e.scrape()
            listed = json.loads(subprocess.check_output(policy + ["list", "--json"]))
            iommufd.close()
    finally:
        subprocess.run(policy + ["unload", "top_down"], check=True, stdout=subprocess.DEVNULL)
    one = next(p for p in listed["policies"] if p["name"] == "top_down")
    labels = {"policy": "top_down", "map": str(one["map_id"])}
    for counter in ("asked", "used", "declined", "refused", "faults", "agreed"):
        expect(get(now, f"iox_policy_{counter}_total", **labels) == one["counters"][counter],
               (counter, now))
    expect(get(now, "iox_policy_asked_total", **labels) == 7, now)
    expect(get(now, "iox_policy_answer_p99_seconds", **labels) > 0, now)
    expect(get(now, "iox_policy_spaces", **labels) == 1, now)
    for state in ("in force", "canary", "shadow", "ejected"):
        expect(get(now, "iox_policy_state", **labels, state=state) == (state == "in force"), now)
    expect(get(now, "iox_map_iovas_total", op="map", chooser="policy") == 7, now)


def formats_are_right():
    load(5, 5)
    with Exporter() as e:
        load(20, 5)
        plain, other = e.ask(), e.ask(Accept=f"{OPEN},text/plain;q=0.5")
    expect(plain.getheader("Content-Type") == TEXT, plain.headers)
    expect(other.getheader("Content-Type") == OPEN, other.headers)
    one, two = parse(plain.text), parse(other.text, open_metrics=True)
    two["iox_exporter_scrapes_total", ()] -= 1
    expect(one == two, "the formats differ")
    promtool = os.environ.get("IOX_PROMTOOL") or shutil.which("promtool")
    if promtool:
        said = subprocess.run([promtool, "check", "metrics"], input=plain.text, text=True,
                              capture_output=True, check=False)
        expect(said.returncode == 0 and not said.stderr, said)


def dashboard_and_alerts_ask_for_what_there_is():
    with Exporter() as e:
        text = e.ask().text
    if not is_ours(parse(text)):
        raise Skip("Linux's own iommufd has less to tell")
    there = set(re.findall("^# TYPE (\\S+)", text, re.M))
    for path in ("grafana/iox.json", "prometheus/iox-rules.yml"):
        with open(f"{TOP}/contrib/{path}", encoding="ascii") as f:
            named = set(re.findall(r"\b(iox_[a-z0-9_]+?)(?:_bucket|_sum|_count)?\b", f.read()))
        expect(len(named) > 4, f"{path}: only {named}")
        unknown = {n for n in named - there if not n.startswith("iox_admission_")}
        expect(not unknown, f"{path}: {unknown}")


def is_a_good_server():
    with Exporter() as e:
        head, whole = e.ask(method="HEAD"), e.ask()
        expect(head.status == 200 and not head.text, "HEAD has a body")
        expect(head.getheader("Content-Type") == TEXT, head.headers)
        expect(abs(int(head.getheader("Content-Length")) - len(whole.text)) < 64, head.headers)
        expect(e.ask("/").status == 200, "nothing at /")
        for path in ("/nothing", "/metrics/", "/metrics2", "//metrics", "/../etc/passwd"):
            expect(e.ask(path).status == 404, path)
        expect(e.ask("/metrics?x=1").status == 200, "bears no query")
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = e.ask(method=method)
            expect(answer.status == 405 and answer.getheader("Allow") == "GET, HEAD", method)
        for junk in (b"\r\n\r\n\0\xff\r\n\r\n", b"GET /metrics\r\n\r\n",
                     b"GET / HTTP/1.1\r\nX: " + b"x" * 40000 + b"\r\n\r\n"):
            with socket.create_connection((e.host, e.port), PATIENCE) as s:
                s.sendall(junk)
        expect(e.ask().status == 200, "does not serve after junk")
        e.ends(signal.SIGTERM)


def survives_idle_connections():
    with Exporter() as e:
        idle = [socket.create_connection((e.host, e.port), PATIENCE) for _ in range(40)]
        idle[0].sendall(b"GET /metrics HTTP/1.1\r\nHost: x")
        began = time.monotonic()
        expect(e.ask().status == 200, "no answer")
        expect(time.monotonic() - began < PATIENCE, "they are never closed")
        idle[0].settimeout(PATIENCE)
        while idle[0].recv(1000):
            pass
        for s in idle:
            s.close()


def has_no_privilege_left():
    with Exporter() as e:
        with open(f"/proc/{e.process.pid}/status", encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            expect(int(status[kind], 16) == 0, f"{kind} {status[kind]}")
        expect(status["NoNewPrivs"] == "1", status)
        load(10, 0)
        expect(get(e.scrape(), "iox_map_operations_total", op="map") == 10, "does not count")


def needs_few_privileges():
    few = "-all,+bpf,+perfmon,+sys_admin"
    with Exporter("setpriv", f"--bounding-set={few}", "--") as e:
        expect(e.ask().status == 200, "no answer")
    r = subprocess.run(["setpriv", "--bounding-set=-all", "--", IOX, "exporter", "--listen",
                        "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE,
                       check=False)
    expect(r.returncode == 1 and r.stderr.endswith("; run it as root\n"), r)


def ends_with_signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Exporter() as e:
            e.ask()
            e.ends(number)


def goes_on_unheard():
    with Exporter() as e:
        e.process.stdout.close()
        for _ in range(3):
            expect(e.ask().status == 200, "ends when nobody reads what it says")
            time.sleep(0.5)


def listens_on_ipv6():
    if not os.path.exists("/proc/net/if_inet6"):
        raise Skip("this kernel has no IPv6")
    with Exporter(listen="[::1]:0") as e:
        expect(e.ask().status == 200, "no answer")


def fail(*args):
    return subprocess.run([IOX, "exporter", *args], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)


def says_what_goes_wrong():
    with Exporter() as e:
        where = f"127.0.0.1:{e.port}"
        r = fail("-l", where)
        expect(r.returncode == 1 and not r.stdout, r)
        expect(r.stderr == f"iox exporter: {where}: Address already in use; choose another "
               "address or port with --listen\n", r.stderr)
    for wrong in ("", "9753", ":9753", "localhost:9753", "127.0.0.1:", "127.0.0.1:x", "::1:9753",
                  "127.0.0.1:70000", "[::1]", "[:9753"):
        r = fail("--listen", wrong)
        expect(r.returncode == 2 and r.stderr.startswith("iox exporter: listen '"), (wrong, r))
    expect(fail("more").returncode == 2, "bears arguments")
    r = fail("-l", "192.0.2.1:9753")
    expect(r.returncode == 1 and "Cannot assign requested address" in r.stderr, r)
    unload_iommufd()
    r = fail()
    load_iommufd()
    expect(r.returncode == 1, r)
    expect(r.stderr == "iox exporter: iommufd: is not loaded; run 'modprobe iommufd'\n", r.stderr)


if __name__ == "__main__":
    run_tests((counts_what_was_called, counts_bytes_and_choosers, never_goes_back,
               tells_of_policies, formats_are_right,
               dashboard_and_alerts_ask_for_what_there_is, is_a_good_server, survives_idle_connections,
               has_no_privilege_left, needs_few_privileges, ends_with_signals,
               goes_on_unheard, listens_on_ipv6, says_what_goes_wrong))

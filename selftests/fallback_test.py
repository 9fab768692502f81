#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What iox shows where iommufd cannot be probed: the module runs without its types (BTF)."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from exporter_test import Exporter
from tap import IOX, PATIENCE, TOP, Skip, expect, load_iommufd, run_tests, unload_iommufd

# 16 mappings of 2 MiB, half of which go with their IOAS, and 50 pages; all for a device
MAPS = 66
BYTES = 16 * (2 << 20) + 50 * 4096
LOAD = [TOP + "/build/selftests/report_test", "load", "50"]
WHY = "; the kernel must be built with CONFIG_DEBUG_INFO_BTF_MODULES=y"
UNSEEN = ("not seen: all but what the IOMMU layer maps and unmaps, for drivers of this machine too: "
          "no calls, times, failures, IOASes (iommufd: has no BTF" + WHY + ")\n")
TIMES = ("failed", "sum_ns", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns", "histogram")


class Untyped:
    """While it lasts, iommufd is a module without BTF."""

    def __enter__(self):
        path = subprocess.run(["modinfo", "-n", "iommufd"], check=True, capture_output=True,
                              text=True).stdout.strip()
        unload_iommufd()
        with tempfile.TemporaryDirectory() as folder:
            stripped = folder + "/iommufd.ko"
            subprocess.run(["objcopy", "-R", ".BTF", "-R", ".BTF.base", path, stripped], check=True)
            subprocess.run(["insmod", stripped], check=True)
        subprocess.run(["modprobe", "vfio-pci"], check=True)
        expect(not os.path.exists("/sys/kernel/btf/iommufd"), "iommufd has BTF")

    def __exit__(self, *_):
        unload_iommufd()
        load_iommufd()


def iox(*args, status=0, **more):
    r = subprocess.run([IOX, *args], capture_output=True, text=True, errors="replace", check=False,
                       timeout=PATIENCE, **more)
    expect(r.returncode == status, r)
    return r


def need_device():
    with open("/proc/bus/pci/devices", encoding="ascii") as f:
        if "12341" not in f.read():
            raise Skip("no device that does DMA (edu)")


def call(stat, name):
    return next(c for c in stat["calls"] if c["call"] == name)


def check_counts(stat):
    expect(not stat["timed"] and not stat["staged"] and not stat["skipped"], stat)
    expect([c["call"] for c in stat["calls"] if c["attached"]] == ["map", "unmap"], stat)
    for name in ("map", "unmap"):
        c = call(stat, name)
        expect(c["count"] == c["untimed"] == MAPS and c["bytes"] == BYTES, c)
        expect(c["function"] == "iommu:" + name, c)
        expect(all(c[key] is None for key in TIMES), c)


# --- tests -------------------------------------------------------------------


def stat_counts_what_the_layer_maps():
    need_device()
    with Untyped():
        check_counts(json.loads(iox("stat", "--json", "--stages", "--", *LOAD).stdout))


def stat_counts_for_each():
    need_device()
    with Untyped():
        for by, some in (("process", 1), ("cgroup", 1), ("ioas", 0), ("backing", 0)):
            stat = json.loads(iox("stat", "--json", "--by", by, "--", "sh", "-c", " ".join(LOAD) + "; :").stdout)
            check_counts(stat)
            expect(sum(k["count"] for k in stat["keys"]) == 2 * MAPS * some, stat)
            expect(all(k["failed"] is None for k in stat["keys"]), stat)


def stat_says_what_is_not_seen():
    need_device()
    with Untyped():
        r = iox("stat", "--by", "cgroup", "--", *LOAD)
    expect(re.search(rf"^map +{MAPS} +- +32\.2 MiB(  +-){{6}}$", r.stdout, re.M), r.stdout)
    expect(UNSEEN in r.stdout and r.stdout.count("not ") == 1, r.stdout)
    expect("timed" not in r.stdout and "|" not in r.stdout, r.stdout)


def top_shows_no_times():
    need_device()
    with Untyped():
        with subprocess.Popen(["sh", "-c", f"while :; do {' '.join(LOAD)}; done"],
                              start_new_session=True) as load:
            r = iox("top", "-b", "-i", "1", "-n", "4", env={"LC_ALL": "C"})
            os.killpg(load.pid, 9)
        keyed = iox("top", "-b", "-i", "0.2", "-n", "1", "--by", "ioas")
    expect(r.stderr == keyed.stderr == UNSEEN, r.stderr)
    expect(re.search(r"^map +[1-9]\d* +[0-9.]+ [KM]iB +- +- +- ", r.stdout, re.M), r.stdout)
    expect("B/s, only counted\n" in r.stdout and "FAIL" not in r.stdout, r.stdout)
    expect("no calls yet" not in keyed.stdout and "no calls, times" in keyed.stdout, keyed.stdout)


def exporter_has_counters_only():
    need_device()
    with Untyped(), Exporter() as e:
        subprocess.run(LOAD, check=True)
        samples = e.scrape()
        e.process.terminate()
        err = e.process.communicate(timeout=PATIENCE)[1]
    expect(err == UNSEEN, err)
    for op in ("map", "unmap"):
        for family in ("operations", "untimed"):
            expect(samples[f"iox_map_{family}_total", (("op", op),)] >= MAPS, samples)
        expect(samples["iox_map_bytes_total", (("op", op),)] >= BYTES, samples)
    names = {name for name, _ in samples}
    expect(not [n for n in names if re.match("iox_map_(fail|lat|stage|leaves|iovas)", n)], names)
    info = next(dict(labels) for name, labels in samples if name == "iox_info")
    expect(info["iommufd"] == "unknown", info)


def report_has_what_there_is():
    need_device()
    with Untyped():
        page = iox("report", "-o", "-", "--", *LOAD).stdout
    data = json.loads(re.search(r'id="data">(.*)</script>', page)[1])
    check_counts({**data, "staged": False})
    expect(data["iommufd"] == "unknown" and data["unseen"] == [UNSEEN[len("not seen: "):-1]], data["unseen"])
    expect(not data["spaces"] and not data["slowest"] and not data["heat"]["cells"], data)
    expect(page.count("This cannot be seen here") == 5, page)
    expect("Nothing was done" not in page and "No IOVA" not in page, page)


def trace_and_record_say_why_not():
    with Untyped(), tempfile.TemporaryDirectory() as folder:
        for command in (["trace"], ["record", "-o", folder + "/trace"]):
            r = iox(*command, "--", "true", status=1)
            expect(r.stderr == f"iox {command[0]}: iommufd: has no BTF{WHY}\n" and not r.stdout, r)


def a_kernel_without_types_is_enough():
    """Its file is hidden: what iox sees is what it sees of a kernel that has none."""
    need_device()
    mend = "it must be built with CONFIG_DEBUG_INFO_BTF=y"
    subprocess.run("mount --bind /dev/null /sys/kernel/btf/vmlinux", shell=True, check=True)
    try:
        with Exporter() as e:
            subprocess.run(LOAD, check=True)
            samples = e.scrape()
        text = iox("stat", "-i", "0.2", "-c", "1").stdout
        command = iox("stat", "--", "true", status=1)
    finally:
        subprocess.run(["umount", "/sys/kernel/btf/vmlinux"], check=True)
    expect(samples["iox_map_operations_total", (("op", "map"),)] >= MAPS, samples)
    expect(samples["iox_map_bytes_total", (("op", "unmap"),)] >= BYTES, samples)
    expect(f"(this kernel: has no BTF; {mend})\n" in text, text)
    expect(command.stderr == f"iox stat: this kernel: has no BTF; {mend}\n", command)


def functions_may_be_taken():
    """As many programs as a function bears are on it: the probes of Linux's own iommufd do not attach."""
    need_device()
    with open("/proc/kallsyms", encoding="ascii") as f:
        if "__tracepoint_iommufd_op" in f.read():
            raise Skip("no functions are probed on iox's iommufd")
    programs = "".join(f'__attribute__((section("fentry/iommufd_ioas_map"), used)) int f{i}(void *c) {{ return 0; }}\n'
                       for i in range(38))
    source = programs + '__attribute__((section("license"), used)) char gpl[] = "GPL";\n'
    with tempfile.TemporaryDirectory() as folder:
        many = folder + "/many.o"
        subprocess.run(["clang-19", "-target", "bpf", "-g", "-O2", "-c", "-x", "c", "-", "-o", many],
                       input=source, text=True, check=True)
        subprocess.run([TOP + "/build/tools/bin/bpftool", "prog", "loadall", many,
                        "/sys/fs/bpf/fallback_test", "autoattach"], check=True, capture_output=True)
    try:
        check_counts(json.loads(iox("stat", "--json", "--", *LOAD).stdout))
        text = iox("stat", "--", *LOAD).stdout
        trace = iox("trace", "--", "true", status=1)
    finally:
        shutil.rmtree("/sys/fs/bpf/fallback_test")
    expect("IOASes (attaching the probes: Argument list too long; " in text, text)
    expect(trace.stderr.count("\n") == 1 and "attaching the probes: " in trace.stderr, trace)
    stat = json.loads(iox("stat", "--json", "--", *LOAD).stdout)
    expect(stat["timed"], "still does not attach")


def doctor_finds_it():
    with Untyped():
        # What else is missing here decides about its status.
        r = subprocess.run([IOX, "doctor", "--json"], capture_output=True, text=True, check=False)
    checks = {c["check"]: c for c in json.loads(r.stdout)["checks"]}
    expect("cannot be told without BTF" in checks["iommufd"]["what"], checks["iommufd"])
    expect(checks["BTF of iommufd"]["verdict"] == "missing", checks)


def privileges_come_first():
    with Untyped():
        r = subprocess.run(["setpriv", "--bounding-set=-all", "--", IOX, "stat", "-c", "1"],
                           capture_output=True, text=True, check=False, timeout=PATIENCE)
    expect(r.returncode == 1 and r.stderr.count("\n") == 1 and not r.stdout, r)
    expect("iox stat: " in r.stderr and r.stderr.endswith("; run it as root\n"), r)


if __name__ == "__main__":
    run_tests((stat_counts_what_the_layer_maps, stat_counts_for_each, stat_says_what_is_not_seen,
               top_shows_no_times, exporter_has_counters_only, report_has_what_there_is,
               trace_and_record_say_why_not, a_kernel_without_types_is_enough, functions_may_be_taken,
               doctor_finds_it, privileges_come_first))

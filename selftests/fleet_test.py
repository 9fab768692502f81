#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What contrib/ has for many hosts: manifests for Kubernetes, dashboards, alerts. Needs no kernel of ours."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from tap import TOP, Skip, expect, run_tests

CONTRIB = f"{TOP}/contrib"
KUBERNETES = f"{CONTRIB}/kubernetes"
# What of a node a pod may see, and whether it may write there
NODE = {"/sys/fs/bpf": True, "/sys/fs/cgroup": False, "/var/lib/iox": True, "/etc/machine-id": False}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def documents(path):
    return list(yaml.safe_load_all(read(path)))


def manifests():
    """All objects of the base, by kind and name"""
    found = {}
    for name in documents(f"{KUBERNETES}/kustomization.yaml")[0]["resources"]:
        for document in documents(f"{KUBERNETES}/{name}"):
            key = (document["kind"], document["metadata"]["name"])
            expect(key not in found, f"twice: {key}")
            found[key] = document
    return found


def pod():
    return manifests()["DaemonSet", "iox"]["spec"]["template"]["spec"]


def containers():
    return {c["name"]: c for c in pod()["initContainers"] + pod()["containers"]}


def unit(name):
    """Settings of a service; the last of each"""
    return dict(line.split("=", 1) for line in read(f"{CONTRIB}/systemd/{name}").splitlines()
                if "=" in line and not line.startswith("#"))


def every_manifest_is_used():
    kustomization = documents(f"{KUBERNETES}/kustomization.yaml")[0]
    files = {os.path.basename(p) for p in glob.glob(f"{KUBERNETES}/*.yaml")}
    expect(files == {*kustomization["resources"], "kustomization.yaml"}, files)
    component = documents(f"{KUBERNETES}/podmonitor/kustomization.yaml")[0]
    expect(component["kind"] == "Component" and component["resources"] == ["podmonitor.yaml"], component)
    kinds = sorted(kind for kind, _ in manifests())
    expect(kinds == ["ConfigMap", "ConfigMap", "DaemonSet", "Namespace", "Service", "ServiceAccount"], kinds)


def pods_may_no_more_than_they_need():
    spec = pod()
    for wrong in ("hostNetwork", "hostPID", "hostIPC"):
        expect(wrong not in spec, wrong)
    expect(spec["automountServiceAccountToken"] is False, "has a token")
    account = manifests()["ServiceAccount", spec["serviceAccountName"]]
    expect(account["automountServiceAccountToken"] is False, "the account has a token")
    needs = unit("iox-rollout.service")["CapabilityBoundingSet"].replace("CAP_", "").split()
    for name, container in containers().items():
        context = container["securityContext"]
        expect(context["privileged"] is False and context["allowPrivilegeEscalation"] is False, name)
        expect(context["readOnlyRootFilesystem"] is True, name)
        expect(context["capabilities"] == {"drop": ["ALL"], "add": needs}, (name, context))
        expect(context["seccompProfile"] == {"type": "RuntimeDefault"}, name)
        expect(("appArmorProfile" in context) == (name != "exporter"), name)
        expect("memory" in container["resources"]["limits"], name)


def pods_see_what_they_need_of_the_node():
    volumes = {v["name"]: v for v in pod()["volumes"]}
    for name, container in containers().items():
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            path, writes = mount["mountPath"], not mount.get("readOnly")
            if "configMap" in volume:
                expect(("ConfigMap", volume["configMap"]["name"]) in manifests(), volume)
                expect(not writes, (name, path))
                continue
            expect(volume["hostPath"]["path"] == path, (name, path))
            expect(not writes or NODE[path] and name != "exporter", (name, path))
    used = {m["name"] for c in containers().values() for m in c["volumeMounts"]}
    expect(used == set(volumes), used ^ set(volumes))
    for name in ("restore", "rollout"):
        places = {m["mountPath"] for m in containers()[name]["volumeMounts"]}
        expect(places == {*NODE, "/etc/iox/rollouts", "/etc/iox/trusted.d"}, (name, places))


def pods_run_what_services_run():
    for name, service in (("restore", "iox-rollout-restore"), ("rollout", "iox-rollout")):
        command = unit(f"{service}.service")["ExecStart"].split()
        expect(command == ["/usr/local/bin/iox", *containers()[name]["args"]], (name, command))
    expect(containers()["exporter"]["args"][0] == "exporter", containers()["exporter"])
    recipe = read(f"{CONTRIB}/container/Containerfile")
    expect('ENTRYPOINT ["/usr/bin/iox"]' in recipe, recipe)


def metrics_are_found():
    spec = manifests()["DaemonSet", "iox"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    expect(spec["selector"]["matchLabels"].items() <= labels.items(), labels)
    ports = {p["name"]: p["containerPort"] for p in containers()["exporter"]["ports"]}
    expect(containers()["exporter"]["args"][1].endswith(f":{ports['metrics']}"), ports)
    service = manifests()["Service", "iox"]["spec"]
    expect(service["selector"].items() <= labels.items(), service)
    expect([(p["port"], p["targetPort"]) for p in service["ports"]] == [(ports["metrics"], "metrics")], service)
    monitor = documents(f"{KUBERNETES}/podmonitor/podmonitor.yaml")[0]["spec"]
    added = documents(f"{KUBERNETES}/kustomization.yaml")[0]["labels"][0]["pairs"]
    expect(monitor["selector"]["matchLabels"] == {**labels, **added}, monitor)
    expect(monitor["podMetricsEndpoints"][0]["port"] in ports, monitor)


def images_are_the_operators_to_name():
    for name, container in containers().items():
        expect(container["image"] == "iox", (name, container["image"]))
    for line in read(f"{CONTRIB}/container/Containerfile").splitlines():
        expect(not line.startswith("FROM ") or line.startswith("FROM ${BASE}"), line)


def expressions():
    """All that dashboards and alerts ask for, with variables filled in"""
    for path in sorted(glob.glob(f"{CONTRIB}/grafana/*.json")):
        for panel in json.loads(read(path))["panels"]:
            for target in panel["targets"]:
                expr = target["expr"].replace("$__rate_interval", "5m").replace("$__range", "1h")
                yield path, re.sub(r"\$\w+", ".*", expr)
    for path in sorted(glob.glob(f"{CONTRIB}/prometheus/*.yml")):
        for group in documents(path)[0]["groups"]:
            for rule in group["rules"]:
                yield path, rule["expr"]


def dashboards_are_sound():
    uids = set()
    for path in glob.glob(f"{CONTRIB}/grafana/*.json"):
        board = json.loads(read(path))
        uids.add(board["uid"])
        variables = {v["name"] for v in board["templating"]["list"]}
        taken, ids = set(), set()
        for panel in board["panels"]:
            ids.add(panel["id"])
            expect(panel["datasource"]["uid"] == "${datasource}", panel["title"])
            grid = panel["gridPos"]
            cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"])
                     for y in range(grid["y"], grid["y"] + grid["h"])}
            expect(grid["x"] + grid["w"] <= 24 and not cells & taken, f"{path}: {panel['title']} overlaps")
            taken |= cells
        named = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"])))
        expect(named - {"__rate_interval", "__range", "__all"} == variables, (path, named, variables))
        expect(len(ids) == len(board["panels"]), path)
    expect(len(uids) == 2, uids)


def what_is_asked_for_is_told():
    told = set()
    for path in glob.glob(f"{TOP}/user/**/*.[ch]", recursive=True):
        told |= set(re.findall(r"\biox_rollout_[a-z_]+", read(path)))
    if not told:
        raise Skip("no rollouts here")
    for path, expr in expressions():
        for name in re.findall(r"\biox_rollout_[a-z_]+", expr):
            expect({name, name.removesuffix("_total")} & told, f"{path}: {name}")


def prometheus_understands():
    promtool = os.environ.get("IOX_PROMTOOL") or shutil.which("promtool")
    if not promtool:
        raise Skip("no promtool")
    rules = [{"record": f"x:{i}", "expr": expr} for i, (_, expr) in enumerate(expressions())]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}, f)
        f.flush()
        for args in (["check", "rules", f.name], ["check", "rules", *glob.glob(f"{CONTRIB}/prometheus/*.yml")],
                     ["test", "rules", f"{TOP}/selftests/rollout_alerts.yml"]):
            r = subprocess.run([promtool, *args], capture_output=True, text=True, check=False)
            expect(r.returncode == 0, r.stdout + r.stderr)


if __name__ == "__main__":
    run_tests((every_manifest_is_used, pods_may_no_more_than_they_need, pods_see_what_they_need_of_the_node,
               pods_run_what_services_run, metrics_are_found, images_are_the_operators_to_name,
               dashboards_are_sound, what_is_asked_for_is_told, prometheus_understands))

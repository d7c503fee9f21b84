#!/usr/bin/env python3
"""Floods: memory stays under the cap, evictions are counted, findings stay few, and
flows before, during and after keep their verdicts.  With a file of evidence the same
holds, and the file is the same however the flood is cut on its way through a pipe.

    test_flood.py PROGRAM FLOOD SOURCE [--size small|full] [--flood NAME]

flood.c tells which flows go on beside the flood; from STEADY of them the counts
below follow.  Prints a line for each flood.
"""
import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time

# small and full: packets (of `sources`: connections) and the cap; what is expected of it
Flood = collections.namedtuple("Flood", "name small full evicts undetermined")
Size = collections.namedtuple("Size", "packets memory_mib")
FLOODS = [
    Flood("syn", Size(300_000, 32), Size(50_000_000, 1024), True, False),
    Flood("scan", Size(2 * 65536, 32), Size(20 * 65536, 64), True, False),
    Flood("fragments", Size(300_000, 32), Size(10_000_000, 256), True, True),
    Flood("sources", Size(20_000, 32), Size(1_000_000, 1024), False, False),
]
STEADY = 200         # of each sort and kind
SORTS = 5            # before, during, after, talking, silent
FINDINGS_MOST = 100  # some kinds of ends times some types, never one for each source or port


def cut(source, sink):
    """Hand on what comes in pieces of any length."""
    choice = random.Random(1)
    with source, sink:
        while True:
            data = source.read(1 << 16)
            if not data:
                return
            while data:
                size = choice.randrange(1, 4096)
                sink.write(data[:size])
                data = data[size:]


def peak_and_status(flood_argv, audit_argv, log, pieces):
    """Run the flood into the audit's standard input; pieces: cut on its way."""
    flood = subprocess.Popen(flood_argv, stdout=subprocess.PIPE)
    audit = subprocess.Popen(audit_argv, stdin=subprocess.PIPE if pieces else flood.stdout,
                             stdout=log, stderr=log, bufsize=0)
    if pieces:
        cut(flood.stdout, audit.stdin)
    else:
        flood.stdout.close()
    _, status, usage = os.wait4(audit.pid, 0)
    audit.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024, audit.returncode, flood.wait()


def check_steady(report, faults):
    """Exactly the flows that flood.c says, each judged as it should be."""
    want = STEADY * SORTS
    rows = {row["rule"]: row for row in report["coverage"]}
    if rows["internal.1.12"]["flows"] != want:
        faults.append(f"documented flows: {rows['internal.1.12']['flows']}, wanted {want}")
    found = [f for f in report["findings"] if f["type"] == "wrong-direction" and
             f["initiator"]["role"] == "front-end" and
             f["responder"]["role"] == "reverse-proxy-internal"]
    if len(found) != 1:
        faults.append(f"{len(found)} findings of the wrong direction, wanted 1")
        return
    through = found[0]["outcomes"]["through"]
    if found[0]["flows"] != want or through != want:
        faults.append(f"flows in the wrong direction: {found[0]['flows']}, answered {through}, "
                      f"wanted {want}")


def check(flood, size, report, peak, faults):
    cap = size.memory_mib << 20
    capture, summary = report["capture"], report["summary"]
    check_steady(report, faults)
    if peak > cap:
        faults.append(f"peak memory {peak >> 20} MiB, wanted at most {size.memory_mib}")
    if (capture["flows_evicted"] > 0) != flood.evicts:
        faults.append(f"{capture['flows_evicted']} flows evicted")
    if capture["complete"] != (not flood.evicts and not flood.undetermined):
        faults.append(f"complete: {capture['complete']}")
    if len(report["findings"]) > FINDINGS_MOST:
        faults.append(f"{len(report['findings'])} findings")
    if (summary["flows"]["undetermined"] > 0) != flood.undetermined:
        faults.append(f"{summary['flows']['undetermined']} flows undetermined")
    if capture["packets"] < size.packets:
        faults.append(f"{capture['packets']} packets, wanted {size.packets} and more")


def run(args, flood, folder, evidence=None, pieces=False):
    size = getattr(flood, args.size)
    path = os.path.join(folder, "report.json")
    log_path = os.path.join(folder, "log")
    more = ["--evidence", os.path.join(folder, evidence)] if evidence else []
    began = time.monotonic()
    with open(log_path, "wb") as log:
        peak, status, flood_status = peak_and_status(
            [args.flood_program, flood.name, str(size.packets), str(STEADY)],
            [args.program, "audit", "-s", os.path.join(args.source, "docs/examples/site.json"),
             "--rules", os.path.join(args.source, "rules/lync-server-2013"), "-r", "-", "-o", path,
             "--max-memory", f"{size.memory_mib}MiB", *more], log, pieces)
    faults = []
    if status != 1 or flood_status != 0:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            faults.append(f"exit status {status}, of the flood {flood_status}: {log.read()[-500:]}")
    else:
        with open(path, encoding="utf-8") as f:
            report = json.load(f)
        check(flood, size, report, 0 if args.no_memory else peak, faults)
        print(f"{flood.name}: {report['capture']['packets']} packets, "
              f"{report['summary']['flows']['total']} flows, "
              f"{report['capture']['flows_evicted']} evicted, {len(report['findings'])} findings, "
              f"peak {peak / 2**20:.1f} of {size.memory_mib} MiB, "
              f"{time.monotonic() - began:.1f} s{' with evidence' if evidence else ''}",
              flush=True)
    for fault in faults:
        print(f"{flood.name}: {fault}", flush=True)
    return not faults


def run_all(args, flood, folder):
    """Without evidence, with it, and with it in pieces."""
    good = run(args, flood, folder)
    good = run(args, flood, folder, "whole") and good
    good = run(args, flood, folder, "pieces", True) and good
    if not good:
        return False
    with open(os.path.join(folder, "whole"), "rb") as f, \
            open(os.path.join(folder, "pieces"), "rb") as g:
        whole, pieces = f.read(), g.read()
    if whole != pieces or whole.count(b" wrong-direction (rproxy.2.2)") < 5:
        print(f"{flood.name}: evidence of {len(whole)} bytes, and of {len(pieces)} when it came "
              "in pieces", flush=True)
        return False
    return True


def main():
    p = argparse.ArgumentParser(description="Audit floods.")
    p.add_argument("program")
    p.add_argument("flood_program")
    p.add_argument("source")
    p.add_argument("--size", choices=("small", "full"), default="small")
    p.add_argument("--flood", choices=[f.name for f in FLOODS], help="this one alone")
    p.add_argument("--no-memory", action="store_true",
                   help="do not look at memory: under a sanitizer it says nothing")
    args = p.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="lyncaudit-flood-") as folder:
        for flood in FLOODS:
            if args.flood is None or flood.name == args.flood:
                good = run_all(args, flood, folder) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

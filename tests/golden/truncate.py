#!/usr/bin/env python3
"""A capture cut after any byte: a count or an error, never a crash, never silence.

usage: truncate.py PROGRAM CASE [--rules DIR]

Cuts the capture of CASE, as pcap and as pcapng, after each of its first bytes,
around records and at many places between.  Cut inside the file's header the
audit must refuse it (exit 2); cut inside a record the report must say that the
source is truncated and the evidence incomplete; cut between records it must not, but
where so little is left that no flow was judged.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import wire  # noqa: E402

EVERY, STRIDE, RECORDS = 64, 101, 3


def boundaries(data, is_ng):
    """Offsets at which a record (pcapng: block) ends; the file's header is the first."""
    at, ends = 0, []
    if not is_ng:
        at = 24
        ends.append(at)
    while at < len(data):
        if is_ng:
            at += int.from_bytes(data[at + 4:at + 8], "little")
        else:
            at += 16 + int.from_bytes(data[at + 8:at + 12], "little")
        ends.append(at)
    return ends


def places(data, ends):
    cuts = set(range(min(EVERY, len(data)))) | set(range(0, len(data), STRIDE))
    for e in ends[:4] + ends[4::RECORDS]:
        cuts |= {e - 1, e, e + 1}
    return sorted(c for c in cuts if 0 <= c <= len(data))


def fault(argv, report_path, cut, ends):
    """What is wrong with the answer to a file of that length, or None."""
    if os.path.exists(report_path):
        os.unlink(report_path)
    try:
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=60)
    except subprocess.TimeoutExpired:
        return "no end within 60 seconds"
    if p.returncode not in (0, 1, 2, 3):
        return "exit status %d: %s" % (p.returncode, p.stderr[-300:])
    if p.returncode == 2:
        if cut >= ends[1]:
            return "refused, although a packet is whole: " + p.stderr.strip()
        if not p.stderr.startswith("lyncaudit: "):
            return "refused without a word"
        return "refused, and a report is there" if os.path.exists(report_path) else None
    if cut < ends[0]:
        return "accepted without a whole header"
    with open(report_path) as f:
        report = json.load(f)
    capture, flows = report["capture"], report["summary"]["flows"]
    judged = flows["total"] > flows["out-of-scope"] + flows["undetermined"]
    broken = cut not in ends
    if capture["sources"][0]["truncated"] != broken:
        return "truncated: %s" % capture["sources"][0]["truncated"]
    if capture["complete"] != (judged and not broken):
        return "complete: %s" % capture["complete"]
    return None


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("case")
    ap.add_argument("--rules")
    args = ap.parse_args()

    with open(os.path.join(args.case, "case.json")) as f:
        case = json.load(f)
    packets = list(wire.read_any(os.path.join(args.case, case["captures"][0])))
    tried = failed = 0
    with tempfile.TemporaryDirectory() as d:
        for ng in (False, True):
            whole, cut_path = os.path.join(d, "whole"), os.path.join(d, "cut")
            report = os.path.join(d, "report.json")
            if ng:
                wire.write_pcapng(whole, packets, "cut by truncate.py")
            else:
                wire.write_pcap(whole, packets)
            with open(whole, "rb") as f:
                data = f.read()
            ends = boundaries(data, ng)
            argv = [args.program, "audit", "-s", os.path.join(args.case, case["site"]), "-r",
                    cut_path, "-o", report] + (["--rules", args.rules] if args.rules else [])
            for cut in places(data, ends):
                with open(cut_path, "wb") as f:
                    f.write(data[:cut])
                tried += 1
                wrong = fault(argv, report, cut, ends)
                if wrong:
                    failed += 1
                    print("%s cut after %d bytes: %s" % ("pcapng" if ng else "pcap", cut, wrong))
    print("truncate: %d places tried, %d wrong" % (tried, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

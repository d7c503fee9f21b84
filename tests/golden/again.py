"""A golden case whose capture and site are written again, with something changed."""

import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import wire  # noqa: E402


class Case:
    """The command line PROGRAM CASE [--rules DIR]: site and packets, and faults counted."""

    def __init__(self, name):
        ap = argparse.ArgumentParser()
        ap.add_argument("program")
        ap.add_argument("case")
        ap.add_argument("--rules")
        args = ap.parse_args()
        with open(os.path.join(args.case, "case.json"), encoding="utf-8") as f:
            case = json.load(f)
        self.name = name
        self.failed = 0
        self.command = [args.program, "audit", "-q"] + (
            ["--rules", args.rules] if args.rules else [])
        self.site = os.path.join(args.case, case["site"])
        self.packets = list(wire.read_any(os.path.join(args.case, case["captures"][0])))

    def audit(self, folder, site, packets):
        """The report of these packets, which are written into the folder."""
        capture, report = os.path.join(folder, "a.pcap"), os.path.join(folder, "report.json")
        wire.write_pcap(capture, packets)
        done = subprocess.run(self.command + ["-s", site, "-r", capture, "-o", report],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode not in (0, 1):
            sys.exit("%s: the audit ended with %d: %s" % (self.name, done.returncode, done.stderr))
        with open(report, encoding="utf-8") as f:
            return json.load(f)

    def that(self, true, what):
        if not true:
            self.failed += 1
            print(self.name + ": " + what)

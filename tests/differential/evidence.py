#!/usr/bin/env python3
"""A file of evidence as tshark reads it: packets, times, interfaces and comments.

usage: evidence.py PROGRAM SOURCE

Audits one capture in every way that tests/golden/carriers.py packs it.  The test of
tests/golden/evidence.py holds the file against its captures; this one asks whether a
program that is not ours reads in it what stands there.
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
import carriers  # noqa: E402
import evidence as golden  # noqa: E402
import tshark  # noqa: E402
import wire  # noqa: E402

SKIPPED = 77
BETWEEN = "\x1f"
FIELDS = ("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len",
          "frame.interface_name", "frame.comment")


def read_by_tshark(path):
    argv = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t",
            "-E", "aggregator=" + BETWEEN]
    for field in FIELDS:
        argv += ["-e", field]
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if p.returncode:
        raise golden.Wrong("tshark: %s" % p.stderr.decode("utf-8", "replace"))
    return [line.split("\t") for line in p.stdout.decode().splitlines()]


def expected(number, p):
    ns = golden.nanoseconds(p)
    name = p.iface.name.decode() if p.iface.name else None
    return str(number), "%d.%09d" % divmod(ns, 10**9), str(p.orig), str(len(p.data)), name, p.comments


def compare(path):
    with open(path, "rb") as f:
        packets = list(golden.read_pcapng(f.read()))
    lines = read_by_tshark(path)
    golden.want(len(lines) == len(packets), "tshark reads %d packets of %d", len(lines),
                len(packets))
    for number, (line, p) in enumerate(zip(lines, packets), 1):
        *frame, name, comments = expected(number, p)
        golden.want(line[:4] == frame, "tshark reads %s, not %s", line[:4], frame)
        golden.want(name is None or line[4] == name, "interface %s, not %s", line[4], name)
        golden.want(line[5].split(BETWEEN) == comments, "comments %s, not %s", line[5], comments)
    return len(packets)


def main():
    program, source = sys.argv[1:]
    if not tshark.available():
        print("tshark is not installed: how it reads a file of evidence was not compared")
        return SKIPPED
    capture = os.path.join(source, "pcaps", "lab-violations.pcapng")
    packets = [p for p in wire.read_any(capture) if wire.is_ip(p[1])]
    tried = failed = read = 0
    with tempfile.TemporaryDirectory() as d:
        for what, files, stdin in carriers.variants(d, packets):
            proof = os.path.join(d, "proof.pcapng")
            argv = [program, "audit", "-q", "-s", os.path.join(source, "docs/examples/site.json"),
                    "--rules", os.path.join(source, "rules/lync-server-2013"), "--evidence", proof]
            for f in files:
                argv += ["-r", f]
            with open(stdin or os.devnull, "rb") as f:
                subprocess.run(argv, stdin=f, check=False)
            tried += 1
            try:
                read += compare(proof)
            except golden.Wrong as e:
                failed += 1
                print("packed as %s: %s" % (what, e))
    print("evidence: %d ways, %d packets read, %d differ" % (tried, read, failed))
    return 1 if failed or read == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

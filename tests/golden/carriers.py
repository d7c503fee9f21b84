#!/usr/bin/env python3
"""The same packets, packed in every way that a capture may come in.

usage: carriers.py PROGRAM CASE [--rules DIR]

Writes the capture of CASE again in other byte orders, time resolutions, link
types and numbers of files, and has compare.py audit each: how packets are packed
must not change what is said of them.  Where nothing of them is lost, flow log and
report are the same bytes, but for the names of the sources.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import wire  # noqa: E402

EN10MB, NULL, RAW, LOOP, SLL, SLL2 = 1, 0, 101, 108, 113, 276


# ---- link types: an Ethernet frame, carried otherwise ------------------------

def ethernet(frame):
    return frame


def vlan(frame):
    return frame[:12] + struct.pack("!HH", 0x8100, 110) + frame[12:]


def qinq(frame):
    return frame[:12] + struct.pack("!HHHH", 0x88A8, 20, 0x8100, 0x6000 | 110) + frame[12:]


def cooked(frame):
    return struct.pack("!HHH", 0, 1, 6) + frame[6:12] + b"\0\0" + frame[12:]


def cooked2(frame):
    return frame[12:14] + struct.pack("!HIHBB", 0, 7, 1, 0, 6) + frame[6:12] + b"\0\0" + frame[14:]


def raw(frame):
    return frame[14:]


def null(order):
    def carry(frame):
        return struct.pack(order + "I", 2 if frame[12:14] == b"\x08\0" else 30) + frame[14:]
    return carry


# ---- files -------------------------------------------------------------------

def pcap(path, packets, order="<", nano=True, link=EN10MB, carry=ethernet):
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0,
                            262144, link))
        for t, frame, orig in packets:
            data = carry(frame)
            frac = t % 10**9 if nano else t % 10**9 // 1000
            f.write(struct.pack(order + "IIII", t // 10**9, frac, len(data),
                                len(data) + orig - len(frame)))
            f.write(data)


def section(order, packets, interfaces):
    """A pcapng section; packets go to its interfaces in turn."""
    def block(kind, body):
        total = 12 + len(body)
        return struct.pack(order + "II", kind, total) + body + struct.pack(order + "I", total)

    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link, _, resolution in interfaces:
        # if_tsresol; microseconds are what is meant without it
        option = b"" if resolution == 6 else \
            struct.pack(order + "HH", 9, 1) + bytes([resolution, 0, 0, 0]) + b"\0\0\0\0"
        out += block(1, struct.pack(order + "HHI", link, 0, 0) + option)
    for n, (t, frame, orig) in enumerate(packets):
        which = n % len(interfaces)
        _, carry, resolution = interfaces[which]
        if resolution == 0xA0:  # 2^-32 s, rounded up so that nanoseconds survive
            ticks = (t // 10**9 << 32) + ((t % 10**9 << 32) + 10**9 - 1) // 10**9
        else:
            ticks = t // 10**(9 - resolution)
        data = carry(frame)
        out += block(6, struct.pack(order + "IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF,
                                    len(data), len(data) + orig - len(frame)) +
                     data + b"\0" * (-len(data) % 4))
    return out


def pcapng(path, *sections):
    with open(path, "wb") as f:
        for s in sections:
            f.write(section(*s))


def variants(d, packets):
    """Yield (name, arguments in the captures' place, file for standard input)."""
    def one(name, write, *args, **kw):
        path = os.path.join(d, name)
        write(path, *args, **kw)
        return name, [path], None

    for order, word in (("<", "le"), (">", "be")):
        for nano in (True, False):
            yield one("pcap-%s-%s" % (word, "ns" if nano else "us"), pcap, packets, order, nano)
    for name, link, carry in (("vlan", EN10MB, vlan), ("qinq", EN10MB, qinq), ("sll", SLL, cooked),
                              ("sll2", SLL2, cooked2), ("raw", RAW, raw),
                              ("null-le", NULL, null("<")), ("null-be", NULL, null(">")),
                              ("loop", LOOP, null(">"))):
        yield one(name, pcap, packets, link=link, carry=carry)
    yield one("pcapng-be", pcapng, (">", packets, [(EN10MB, ethernet, 9)]))
    half = len(packets) // 2
    yield one("pcapng-mixed", pcapng,
              ("<", packets[:half], [(EN10MB, ethernet, 9), (SLL2, cooked2, 9),
                                     (EN10MB, vlan, 0xA0)]),
              (">", packets[half:], [(RAW, raw, 9), (EN10MB, ethernet, 9)]))
    yield one("pcapng-us", pcapng, ("<", packets, [(EN10MB, ethernet, 6)]))

    folder = os.path.join(d, "ten")
    os.mkdir(folder)
    size = -(-len(packets) // 10)
    parts = []
    for n in range(10):
        parts.append(os.path.join(folder, "part-%d.pcap" % n))
        pcap(parts[-1], packets[n * size:(n + 1) * size])
    yield "ten files, backwards", parts[::-1], None
    with open(os.path.join(folder, "README"), "w") as f:
        f.write("no capture\n")
    yield "a directory of ten", [folder], None
    shuffled = []
    for n in range(3):
        shuffled.append(os.path.join(d, "turn-%d.pcap" % n))
        pcap(shuffled[-1], packets[n::3])
    yield "three files that overlap", shuffled, None
    whole = os.path.join(d, "whole.pcapng")
    pcapng(whole, ("<", packets, [(EN10MB, ethernet, 9)]))
    yield "standard input", ["-"], whole


LOSSLESS = ("pcap-le-ns", "pcap-be-ns", "pcapng-be", "ten files, backwards",
            "a directory of ten", "three files that overlap", "standard input")


def said(keep):
    """Flow log and report, without what names the run and its sources."""
    with open(os.path.join(keep, "flows.jsonl")) as f:
        flows = f.read()
    with open(os.path.join(keep, "report.json")) as f:
        report = json.load(f)
    del report["run"], report["capture"]["sources"], report["validity"]
    for finding in report["findings"]:
        for sample in finding["samples"]:
            del sample["source"], sample["packet"]
    return flows, json.dumps(report)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("case")
    ap.add_argument("--rules")
    args = ap.parse_args()

    with open(os.path.join(args.case, "case.json")) as f:
        (name,) = json.load(f)["captures"]
    # Not every link type carries ARP.
    packets = [p for p in wire.read_any(os.path.join(args.case, name))
               if wire.is_ip(p[1])]
    failed = tried = 0
    first = None
    with tempfile.TemporaryDirectory() as d:
        for what, files, stdin in variants(d, packets):
            argv = [sys.executable, os.path.join(HERE, "compare.py"), args.program, args.case]
            if args.rules:
                argv += ["--rules", args.rules]
            for f in files:
                argv += ["--instead", f]
            keep = os.path.join(d, "said of " + what)
            argv += ["--keep", keep]
            with open(stdin or os.devnull, "rb") as source:
                p = subprocess.run(argv, stdin=source, stdout=subprocess.PIPE, text=True)
            tried += 1
            if p.returncode:
                failed += 1
                print("packed as %s:\n%s" % (what, "\n".join(p.stdout.splitlines()[-12:])))
            elif what in LOSSLESS:
                now = said(keep)
                first = first or now
                if now != first:
                    failed += 1
                    print("packed as %s: flow log or report differ from the first" % what)
    print("carriers: %d ways tried, %d differ" % (tried, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

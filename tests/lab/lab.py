"""Run the lab: build the site, play each capture's day, write capture and truth."""

import hashlib
import json
import os
import shutil
import signal
import sys
import time

import balancers
import days
import netlab
import traffic
import wire


# Seconds; what was asked just before a capture's end may still be answered.
PATIENCE = 4


def check(capture, truth):
    """Every conversation of the capture has its line in the truth, and the reverse."""
    seen = wire.conversations(capture)
    problems = []
    known = set()
    with open(truth) as f:
        lines = [json.loads(text) for text in f]
    for t in sorted(lines, key=lambda t: t["sport"] is None):
        hits = [k for k in seen if matches(k, t)]
        if t["dport"] is None and not hits:
            hits = [k for k in seen if matches(k, dict(t, src=t["dst"], dst=t["src"]))]
        if not hits or t["sport"] is None and len(hits) < t["count"]:
            problems.append("not in the capture: " + json.dumps(t))
        for k in hits[:t["count"] or None] if t["sport"] is None else hits:
            seen.pop(k)
            known.add((k[0], k[1][0], k[2][0]))
    for k, n in seen.items():
        # The later fragments of a datagram whose head is there name no ports.
        if k[1][1] or k[2][1] or (k[0], k[1][0], k[2][0]) not in known:
            problems.append("not in the truth: %s %s" % (k, n))
    return problems


def matches(key, t):
    transport, a, b = key
    if transport != t["transport"]:
        return False
    for (s, sp), (d, dp) in ((a, b), (b, a)):
        if s == t["src"] and d == t["dst"] and dp == (t["dport"] or 0) \
                and (sp == t["sport"] or t["sport"] is None):
            return True
    return False


def play(day, servers, net, work, out, first_port):
    """One capture.  Returns the next free source port."""
    raw = os.path.join(work, day.name + ".raw.pcap")
    truth = os.path.join(out, day.name + ".truth.jsonl")
    svcs = netlab.replaced(netlab.services(**day.balancers), *day.services())
    servers.forget()
    servers.relay(day.relays())
    net.balance(svcs, day.faults)
    balancers.start(servers, svcs)
    op = traffic.Opener(servers, svcs, day.name, truth, first_port, day.place)
    op.held = []
    if day.before:
        day.before(op)
    sensor = netlab.Sensor(raw, day.place)
    try:
        day.play(op)
        if day.after:
            time.sleep(PATIENCE)
            day.after(op)
    finally:
        sensor.stop()
        op.close()
    packets = sorted(wire.read_pcap(raw), key=lambda p: p[0])
    if day.edit:
        packets = list(day.edit(packets))
    path = os.path.join(out, day.file)
    if day.file.endswith(".pcapng"):
        wire.write_pcapng(path, packets, day.purpose)
    else:
        wire.write_pcap(path, packets)
    problems = check(path, truth)
    if problems:
        raise RuntimeError("%s: capture and truth differ:\n%s" % (day.name, "\n".join(problems)))
    print("lab: %s: %d packets, %d bytes" % (day.file, len(packets), os.path.getsize(path)))
    return op.port


LICENCE = "same as the project"


def manifest(out):
    """Renew the lines of this lab's captures in OUT/MANIFEST, keep all others."""
    path = os.path.join(out, "MANIFEST")
    ours = {d.file: d for d in days.DAYS}
    kept, head = [], ["# file\tsha256\tbytes\tpackets\torigin\tlicence\tpurpose\n"]
    if os.path.exists(path):
        with open(path) as f:
            for line in f:
                if line.startswith("#"):
                    continue
                if line.split("\t")[0] not in ours:
                    kept.append(line)
    for name, day in ours.items():
        capture = os.path.join(out, name)
        if os.path.exists(capture):
            with open(capture, "rb") as f:
                digest = hashlib.sha256(f.read()).hexdigest()
            packets = sum(1 for _ in wire.read_any(capture))
            kept.append("\t".join([name, digest, str(os.path.getsize(capture)), str(packets),
                                   day.origin, LICENCE, day.purpose]) + "\n")
    with open(path, "w") as f:
        f.writelines(head + sorted(kept))


def main(argv):
    keep = "-k" in argv
    args = [a for a in argv if a != "-k"]
    out = args[0] if args else "lab-out"
    wanted = args[1:]
    unknown = [w for w in wanted if w not in [d.name for d in days.DAYS]]
    if unknown:
        print("lab: no such capture: %s; there are: %s"
              % (", ".join(unknown), ", ".join(d.name for d in days.DAYS)), file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # take down what is up
    os.makedirs(out, exist_ok=True)
    work = netlab.workdir()
    net = netlab.Network()
    servers = None
    try:
        net.up()
        servers = netlab.Servers(work)
        servers.web()
        servers.names()
        port = 49200
        for day in days.DAYS:
            if wanted and day.name not in wanted:
                continue
            missing = day.missing and day.missing()
            if missing:
                print("lab: %s is left out: %s" % (day.name, missing))
            else:
                port = play(day, servers, net, work, out, port)
        manifest(out)
    finally:
        if servers:
            servers.stop()
        net.down()
        if keep:
            print("lab: logs are in " + work, file=sys.stderr)
        else:
            shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

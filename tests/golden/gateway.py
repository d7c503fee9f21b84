#!/usr/bin/env python3
"""An Edge node that sends by another station than the Access VIP's.

usage: gateway.py PROGRAM CASE [--rules DIR]

In the lab the Edge nodes' gateway is the balancer with the Access VIP.  The capture of CASE
is written again as if it were another station, which is no more than another destination in
the frames that edge01 sends outside: gateway-mismatch must come of it, and nothing else
change.  So too where the site does not declare the balancer's MAC address and it has to be
seen, and where the frames are the copies that a router made.
"""

import os
import re
import sys
import tempfile

from again import Case, wire

NODE = {"198.51.100.21", "198.51.100.22", "198.51.100.23"}  # edge01, outside
OURS = ("198.51.100.", "10.")
ROUTER = bytes.fromhex("02005e640099")


def moved(packets, copied=False):
    """What the node sends outside goes to the router; copied: and is seen behind it."""
    for t, frame, orig in packets:
        e = wire.ends(frame)
        if e is not None and e[1] in NODE and not e[3].startswith(OURS):
            frame = ROUTER + frame[6:]
        if copied and wire.is_ip(frame):  # a sensor behind it sees all frames as the router's
            frame = frame[:6] + ROUTER[:5] + b"\x98" + frame[12:]
        yield t, frame, orig


def undeclared(site, folder):
    """The site without the MAC addresses of its hosts."""
    with open(site, encoding="utf-8") as f:
        text = f.read()
    without, n = re.subn(r'"macs": \[[^\]]*\],', "", text)
    assert n > 0
    path = os.path.join(folder, "site.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(without)
    return path


def split(report):
    findings = report["findings"]
    wrong = [f for f in findings if f["type"] == "gateway-mismatch"]
    return wrong, [f for f in findings if f["type"] != "gateway-mismatch"]


def senders(packets, site):
    """Conversations in which the node sends outside, to whom the site does not declare."""
    with open(site, encoding="utf-8") as f:
        declared = f.read()
    found = set()
    for _, frame, _ in packets:
        e = wire.ends(frame)
        if e is not None and e[1] in NODE and not e[3].startswith(OURS) and \
                '"%s"' % e[3] not in declared:
            found.add(e)
    return found


def main():
    check = Case("gateway")
    sends = senders(check.packets, check.site)
    with tempfile.TemporaryDirectory() as d:
        none, before = split(check.audit(d, check.site, check.packets))
        check.that(sends, "the capture holds no such packet")
        check.that(not none, "the lab's own gateway is the Access VIP, and a finding says no")
        for s, how in ((check.site, "as declared"), (undeclared(check.site, d), "as seen")):
            wrong, others = split(check.audit(d, s, list(moved(check.packets))))
            check.that(others == before, "other findings changed, " + how)
            check.that(len(wrong) == 1, "%d findings, %s" % (len(wrong), how))
            for f in wrong:
                check.that(f["initiator"]["host"] == "edge01", "it is about another host")
                check.that(f["severity"] == "low", "it is not low")
                check.that(f["rules"] == ["edge.p.access-vip-gateway"], "it cites another row")
                check.that(f["flows"] == len(sends), "%d flows, and %d such conversations"
                           % (f["flows"], len(sends)))
                check.that("02:00:5e:64:00:99" in f["what"] and "02:00:5e:64:00:02" in f["what"]
                           and how in f["what"], "it says: " + f["what"])
        wrong, _ = split(check.audit(d, check.site, list(moved(check.packets, copied=True))))
        check.that(not wrong, "a router's copies are taken for the node's own")
    print("gateway: %d conversations, %d faults" % (len(sends), check.failed))
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())

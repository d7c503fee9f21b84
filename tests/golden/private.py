#!/usr/bin/env python3
"""An A/V Edge with private addresses outside.

usage: private.py PROGRAM CASE [--rules DIR]

In the lab every address outside is public.  Capture and site of CASE are written again as if
the A/V nodes and their VIP had private ones behind a firewall that translates them:
edge-private-address must come of it, for each that talks with the Internet; a relay address
that is private is a matter of av-edge-relay, and the flow that shows it has one finding of it
and not two.  Where the pool is not balanced in hardware nothing is said.
"""

import json
import os
import socket
import sys
import tempfile

from again import Case
import variants
import wire

PRIVATE = {"198.51.100.13": "172.16.9.13", "198.51.100.23": "172.16.9.23",
           "198.51.100.33": "172.16.9.33"}
HOST = {"172.16.9.13": "hlb-ext", "172.16.9.23": "edge01", "172.16.9.33": "edge02"}
OURS = ("198.51.100.", "10.", "172.16.9.")
COOKIE = bytes.fromhex("2112a442")


def masked(raw):
    """An address in a STUN message."""
    return bytes(a ^ b for a, b in zip(raw, COOKIE))


def moved(packets, relays):
    """The private addresses in the headers; relays: and in what the servers hand out."""
    for t, frame, orig in packets:
        e = wire.ends(frame)
        if e is not None:
            head, tail = frame[:e[5]], frame[e[5]:]
            for public, private in PRIVATE.items():
                old, new = socket.inet_aton(public), socket.inet_aton(private)
                head = head.replace(old, new)
                if relays:
                    tail = tail.replace(masked(old), masked(new)).replace(old, new)
            frame = head + tail
        yield t, frame, orig


def moved_site(path, folder, mode):
    text = json.dumps(variants.load(path))
    for public, private in PRIVATE.items():
        text = text.replace('"%s"' % public, '"%s"' % private)
    site = json.loads(text)
    site["load_balancing"]["edge"] = mode
    out = os.path.join(folder, mode + ".json")
    variants.write(out, site)
    return out


def talkers(packets):
    """Who of these both sent to and heard of somebody on the Internet, and with how many."""
    ways = set()
    for _, frame, _ in packets:
        e = wire.ends(frame)
        if e is not None:
            ways.add((e[1], e[3]))
    with_whom = {}
    for a, b in ways:
        if a in HOST and not b.startswith(OURS) and (b, a) in ways:
            with_whom.setdefault(HOST[a], set()).add(b)
    return with_whom


def of_type(report, kind):
    return [f for f in report["findings"] if f["type"] == kind]


def check_findings(check, report, want):
    got = of_type(report, "edge-private-address")
    check.that({f["initiator"]["host"] for f in got} == set(want),
               "of %s, wanted %s" % ([f["what"] for f in got], want))
    check.that(len(got) == len(want), "%d findings" % len(got))
    for f in got:
        role = "edge-av-vip" if f["initiator"]["host"] == "hlb-ext" else "edge-av"
        check.that(f["initiator"]["role"] == role, "it is told of another role: " + f["what"])
        check.that(f["severity"] == "medium", "it is not medium")
        check.that(f["rules"] == ["edge.p.av-firewall-keeps-address"], "it cites another row")
        check.that(f["responder"]["role"] == "external", "it is about others: " + f["what"])


def check_pools(check, report, needed):
    services = {s["service"]: s for p in report["edge_addresses"]["pools"] for s in p["services"]}
    kinds = [a["kind"] for a in services["av"]["addresses"]]
    check.that(kinds == ["private"] * 3, "the A/V addresses are " + str(kinds))
    public = report["edge_addresses"]["pools"][0]["public"][0]
    check.that([public["needed"], public["declared"]] == [needed, 6], "public: " + str(public))


def main():
    check = Case("private")
    site, packets = check.site, check.packets
    with tempfile.TemporaryDirectory() as d:
        report = check.audit(d, site, packets)
        check.that(not of_type(report, "edge-private-address"), "public addresses are private")
        relays = bool(of_type(report, "av-edge-relay"))
        check.that(not relays, "the lab's own relay addresses are wrong")
        private = list(moved(packets, False))
        want = talkers(private)
        check.that(want, "nobody talks with the Internet")
        report = check.audit(d, moved_site(site, d, "hlb"), private)
        check_findings(check, report, want)
        check_pools(check, report, 9)
        allocated = of_type(report, "av-edge-relay")  # the public address is now nobody's
        strays = {s["address"] for s in report["edge_addresses"]["undeclared"]}
        check.that(bool(allocated) == bool(strays) and strays <= set(PRIVATE),
                   "undeclared: %s, and %d findings of relays" % (strays, len(allocated)))
        report = check.audit(d, moved_site(site, d, "hlb"), list(moved(packets, True)))
        check.that(len(of_type(report, "av-edge-relay")) == len(allocated),
                   "private relay addresses are no finding")
        check.that(not report["edge_addresses"]["undeclared"], "what is declared is undeclared")
        for f in of_type(report, "av-edge-relay"):
            check.that("is private" in f["why"], "it says: " + f["why"])
            shown = {s["community_id"] for s in f["samples"]}
            for g in of_type(report, "edge-private-address"):
                check.that(not shown & {s["community_id"] for s in g["samples"]},
                           "one flow tells of the same address twice")
        report = check.audit(d, moved_site(site, d, "none"), private)
        check.that(not of_type(report, "edge-private-address"), "said where nothing is balanced")
        check_pools(check, report, None)
    print("private: %d Edge addresses talk with the Internet, %d allocations, %d faults"
          % (len(want), len(allocated), check.failed))
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())

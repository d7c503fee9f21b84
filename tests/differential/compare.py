#!/usr/bin/env python3
"""Flows and bytes of lyncaudit against those of tshark, for any captures.

usage: compare.py FOLDER|FILE... --program PATH [--site FILE] [--rules DIR]
                  [--without-tshark] [--verbose]

Each capture (a folder is searched through, what is no capture is passed over; a file
that is named must be one) is audited, within a second per 10 MiB and at least 10 s.
An audit that crashes, hangs or reports a sanitizer's finding is a failure.

Where tshark is installed, the number of packets and every TCP and UDP conversation,
with packets and IP bytes in both directions, are then compared.  A conversation is
what has the same ends, over port reuse and timeouts.  What lyncaudit does by its
documents and tshark does not is done to tshark's packets as well, and counted by
kind (KINDS below); what still differs is a failure.

Prints a line for each file and a table.  Exit status: 0 agreement, 1 failure or
difference, 77 tshark is missing, so that nothing was compared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter

import tshark

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
SKIPPED = 77

# Packets are known twice within these times (protocol-facts 9.1, lyncaudit/reasm.h).
WINDOW_NS, WINDOW_WITHOUT_ID_NS = 10 * 10**6, 2 * 10**6
FRAGMENT_NS = 5 * 10**9
TCP_FIELDS = ("tcp.seq_raw", "tcp.ack_raw", "tcp.hdr_len", "tcp.flags",
              "tcp.window_size_value", "tcp.options")
PROTOCOLS = {"6": "tcp", "17": "udp"}
EXTENSIONS = ("ipv6.hopopts", "ipv6.dstopts", "ipv6.routing", "ipv6.fraghdr", "ah", "mipv6",
              "hip", "shim6")
EXTENSIONS_MAX = 16

KINDS = {
    "duplicate": "a second sighting of a packet within milliseconds is marked, not counted again",
    "fragment": "a later fragment belongs to the flow whose ports its head names",
    "several": "fragments that several heads with one IP id claim are one of these flows' all the "
               "same: only their sum is compared",
    "late": "fragments more than 5 s away from their head may be without ports: only the sum is "
            "compared",
    "headless": "fragments whose head is missing make a flow without ports",
    "cut": "a header that was cut before its ports makes a flow without ports",
    "length": "an IP header claims more than the frame had: what was there counts",
    "offload": "no length in the IP header (segmentation offload): the frame's length counts",
    "malformed": "a fragment, a TCP or a UDP header that cannot be is counted as malformed, "
                 "not as a flow",
    "jumbogram": "an IPv6 packet with a jumbo payload option is refused by name",
    "extension": "more extension headers than the bound: counted as malformed, not as a flow",
    "link": "an IPv6 packet under a link type for IPv4 alone is malformed, and the reverse",
    "closed": "GRE of a kind that is not opened (WCCP, PPTP) is no TCP and no UDP",
    "source": "UDP tunnels are known by the destination port that they have both ways; tshark goes "
              "by the source port too",
    "options": "an IPv6 header with options that cannot be is passed by its length; tshark stops",
    "inside": "a UDP tunnel with length 0 from segmentation offload is opened, by tshark not",
}


class Conversations(dict):
    """(transport, lower end, upper end) -> [packets, packets, bytes, bytes] by direction."""

    def add(self, transport, src, sport, dst, dport, packets, octets, side=0):
        a, b = (src, sport), (dst, dport)
        if b < a:
            a, b, side = b, a, 1 - side
        count = self.setdefault((transport, a, b), [0, 0, 0, 0])
        count[side] += packets
        count[2 + side] += octets

    def add_frame(self, frame, ports, octets):
        self.add(frame.transport, frame.src, ports[0], frame.dst, ports[1], 1, octets)


def log_conversations(path):
    """The flow log, folded by ends; ports are -1 where they are not known."""
    folded = Conversations()
    with open(path) as f:
        for line in f:
            flow = json.loads(line)
            ends = (flow["src"], -1 if flow["sport"] is None else flow["sport"],
                    flow["dst"], -1 if flow["dport"] is None else flow["dport"])
            for side in (0, 1):
                folded.add(flow["transport"], *ends, flow["packets"][side], flow["bytes"][side],
                           side)
    return folded


# ---- what tshark shows, told as lyncaudit's documents say ---------------------

def octets_of(frame, kinds):
    claim, room = frame.ip_claim(), frame.ip_room()
    if claim is None:
        kinds["offload"] += 1
        return room if room is not None else 0
    if room is not None and claim > room:
        kinds["length"] += 1
        return room
    return claim


def refusal(frame, octets):
    """The kind of a packet that cannot be a flow's, as far as its lengths tell, or None."""
    fragment = frame.fragment()
    if frame.version == "ip":
        room = octets - tshark.number(frame.last("ip.hdr_len"))
    else:
        room = octets - 40
        if frame.last("ipv6.plen") == "0" and "ipv6.hopopts" in frame.layers:
            return "jumbogram"
        if sum(layer in EXTENSIONS for layer in frame.layers) > EXTENSIONS_MAX:
            return "extension"
    if frame.against_link():
        return "link"
    if frame.closed():
        return "closed"
    if fragment and bad_fragment(frame, fragment, room):
        return "malformed"
    if not (fragment and fragment[1]) and bad_transport(frame, fragment, room):
        return "malformed"
    if frame.transport == "udp" and frame.last("udp.length") == "0" and frame.ports() and \
            frame.ports()[1] in tshark.TUNNEL_PORTS:
        return "inside"
    return None


def bad_fragment(frame, fragment, room):
    """Nothing in it, not a multiple of 8 bytes before the last, or past the largest datagram."""
    room -= 8 * sum(layer in EXTENSIONS for layer in frame.layers)
    return room <= 0 or (fragment[2] and room % 8 != 0) or fragment[1] + room > 65535


def bad_transport(frame, fragment, room):
    """A TCP or UDP header with a length that cannot be."""
    if frame.transport == "tcp":
        if fragment and room < 20:
            return False  # the rest of the header is in another one: the ports are here
        length = tshark.number(frame.last("tcp.hdr_len"), 20)
        return length < 20 or (length > room and not fragment)
    length = tshark.number(frame.last("udp.length"), 8)
    return length != 0 and (length < 8 or (length > room and not (fragment and fragment[2])))


class Sightings:
    """Packets seen a short time ago, by all that a mirror leaves unchanged."""

    def __init__(self):
        self.seen = {}

    def again(self, frame, octets):
        get = frame.last
        ident = tshark.number(get("ip.id")) if frame.version == "ip" else \
            tshark.number(get("ipv6.fraghdr.ident"))
        payload = get(frame.transport + ".payload")
        sums = get(frame.transport + ".checksum")
        key = (frame.src, frame.dst, frame.transport, ident, frame.fragment(), octets,
               frame.ports()) + tuple(
                   get(f) for f in TCP_FIELDS if frame.transport == "tcp") + \
            ((payload[:32],) if ident else (payload, sums))
        window = WINDOW_NS if ident else WINDOW_WITHOUT_ID_NS
        before = self.seen.get(key)
        if before is not None and 0 <= frame.time_ns - before <= window:
            return True
        self.seen[key] = frame.time_ns
        return False


def head_of(frames):
    """(source, target, id, protocol) of a fragment -> its heads' (time, ports)."""
    heads = {}
    for frame in frames:
        fragment = frame.fragment() if frame.transport else None
        if fragment and fragment[1] == 0 and frame.ports() and \
                refusal(frame, octets_of(frame, Counter())) is None:
            heads.setdefault((frame.src, frame.dst, fragment[0], fragment[3]), []).append(
                (frame.time_ns, frame.ports()))
    return heads


def ports_of_fragment(frame, fragment, heads):
    """The ports of the head that is nearest in time, or None."""
    known = heads.get((frame.src, frame.dst, fragment[0], fragment[3]), [])
    near = [(abs(frame.time_ns - t), ports) for t, ports in known
            if abs(frame.time_ns - t) <= FRAGMENT_NS]
    return min(near)[1] if near else None


def doubtful(frame, fragment, heads):
    """Why nobody can say for sure which head a later fragment belongs to, or None."""
    known = heads.get((frame.src, frame.dst, fragment[0], fragment[3]), [])
    near = {ports for t, ports in known if abs(frame.time_ns - t) <= FRAGMENT_NS}
    if len(near) > 1:
        return "several"
    return "late" if known and not near else None


def pair_of(frame):
    return frame.transport, min(frame.src, frame.dst), max(frame.src, frame.dst)


def summed(conversations, pairs):
    """The conversations, those of these pairs of addresses added up."""
    out = {}
    for (transport, a, b), counts in conversations.items():
        pair = transport, a[0], b[0]
        key = (transport, (a[0], -2), (b[0], -2)) if pair in pairs else (transport, a, b)
        out[key] = [x + y for x, y in zip(out.get(key, [0] * 4), counts)]
    return out


def expected(frames):
    """(conversations, kinds, plain, pairs) of a capture by tshark's reading of it.

    plain: the conversations as tshark has them.  pairs: between these addresses it is
    not certain to which head a fragment belongs.
    """
    told, plain, kinds, pairs = Conversations(), Conversations(), Counter(), set()
    sightings, heads = Sightings(), head_of(frames)
    for frame in frames:
        fragment = frame.fragment()
        later = fragment is not None and fragment[1] > 0
        if later:
            frame.transport = PROTOCOLS.get(fragment[3])
        if frame.version == "ipv6" and frame.layers[-1] in ("ipv6.dstopts", "ipv6.hopopts"):
            kinds["options"] += 1
        if frame.transport is None:
            continue
        if frame.by_source:
            kinds["source"] += 1
        ports = None if later else frame.ports()
        if ports:
            plain.add_frame(frame, ports, frame.ip_claim() or 0)
        octets = octets_of(frame, kinds)
        refused = refusal(frame, octets)
        if refused:
            kinds[refused] += 1
            continue
        if sightings.again(frame, octets):
            kinds["duplicate"] += 1
            continue
        if later:
            ports = ports_of_fragment(frame, fragment, heads)
            kinds["fragment" if ports else "headless"] += 1
            doubt = doubtful(frame, fragment, heads)
            if doubt:
                kinds[doubt] += 1
                pairs.add(pair_of(frame))
        elif ports is None:
            kinds["cut"] += 1
        told.add_frame(frame, ports or (-1, -1), octets)
    return told, kinds, plain, pairs


# ---- one file ------------------------------------------------------------------

class Outcome:
    def __init__(self, path):
        self.path = path
        self.state = None     # "failed", "no capture", "audited", "unread", "agrees", "explained",
                              # "differs"
        self.why = []
        self.kinds = Counter()
        self.packets = 0
        self.conversations = 0

    def end(self, state, *why):
        self.state = state
        self.why += why
        return self

    def line(self):
        kinds = ", ".join("%s %d" % k for k in sorted(self.kinds.items()))
        return "%-10s %7d packets %6d conversations  %s%s" % (
            self.state, self.packets, self.conversations, self.path,
            "  (%s)" % kinds if kinds else "")


def audit(args, path, named, folder, outcome):
    """Run the program.  The report, or None with the outcome's state set."""
    report, flows = os.path.join(folder, "report.json"), os.path.join(folder, "flows.jsonl")
    for old in (report, flows):
        if os.path.exists(old):
            os.unlink(old)
    limit = max(10, os.path.getsize(path) / (10 << 20)) * args.slow
    try:
        p = subprocess.run([args.program, "audit", "-q", "-s", args.site, "--rules", args.rules,
                            "-r", path, "--flows", flows, "-o", report],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit)
    except subprocess.TimeoutExpired:
        outcome.end("failed", "no end after %d s" % limit)
        return None
    said = p.stderr.decode(errors="replace")
    if "Sanitizer" in said or "runtime error:" in said or p.returncode not in (0, 1, 2, 3):
        outcome.end("failed", "exit status %d" % p.returncode, *said.splitlines()[:20])
        return None
    if p.returncode == 2:
        outcome.end("failed" if named else "no capture", said.strip())
        return None
    with open(report) as f:
        return json.load(f)


def differences(told, logged, unopened):
    """Sentences on every conversation of which the two say different things.

    unopened: packets that tshark did not open; so many more may be in the log.
    """
    differing = [key for key in sorted(set(told) | set(logged))
                 if told.get(key) != logged.get(key)]
    surplus = [sum(logged.get(key, [0] * 4)[:2]) - sum(told.get(key, [0] * 4)[:2])
               for key in differing]
    if unopened and all(n > 0 for n in surplus) and sum(surplus) <= unopened:
        return []
    return ["%s %s:%d <-> %s:%d: tshark %s, lyncaudit %s" % (
        key[0], *key[1], *key[2], told.get(key), logged.get(key)) for key in differing]


def compare(args, path, named, folder):
    """The outcome of one file; named: by itself, not found in a folder."""
    outcome = Outcome(path)
    report = audit(args, path, named, folder, outcome)
    if report is None:
        return outcome
    outcome.packets = report["capture"]["packets"]
    logged = log_conversations(os.path.join(folder, "flows.jsonl"))
    outcome.conversations = len(logged)
    if not args.tshark:
        return outcome.end("audited")
    try:
        frames, said = tshark.read(path, folder, 300)
    except subprocess.TimeoutExpired:
        return outcome.end("audited", "tshark did not end within 300 s")
    told, outcome.kinds, plain, pairs = expected(frames)
    if not frames and said:
        return outcome.end("unread", said)
    if len(frames) != outcome.packets:
        outcome.why.append("%d packets, tshark has %d" % (outcome.packets, len(frames)))
    outcome.why += differences(summed(told, pairs), summed(logged, pairs),
                               outcome.kinds["inside"] + outcome.kinds["options"])
    if outcome.why:
        events = {k: report["capture"][k] for k in ("malformed", "cut", "noted")}
        outcome.why = [w for w in (said, "the report counts " + json.dumps(events)) if w] + \
            outcome.why
        return outcome.end("differs")
    return outcome.end("agrees" if plain == logged else "explained")


# ---- all of them -----------------------------------------------------------------

def captures_in(paths):
    """(path, whether it was named itself) of every file."""
    for path in paths:
        if not os.path.isdir(path):
            yield path, True
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                yield os.path.join(folder, name), False


def print_table(outcomes):
    states = Counter(o.state for o in outcomes)
    with_flows = [o for o in outcomes if o.conversations]
    print("\n%d files: %s" % (len(outcomes), ", ".join("%d %s" % (n, s)
                                                      for s, n in sorted(states.items()))))
    print("%d of them hold TCP or UDP; %d packets, %d conversations in all"
          % (len(with_flows), sum(o.packets for o in outcomes),
             sum(o.conversations for o in outcomes)))
    for kind, meaning in KINDS.items():
        files = [o for o in outcomes if o.kinds[kind]]
        if files:
            print("%-10s %6d packets in %4d files: %s"
                  % (kind, sum(o.kinds[kind] for o in files), len(files), meaning))


def add_arguments(ap):
    """What to audit and how: the same for all who audit captures here."""
    ap.add_argument("paths", nargs="+")
    ap.add_argument("--program", required=True)
    ap.add_argument("--site", default=os.path.join(PROJECT, "docs", "examples", "site.json"))
    ap.add_argument("--rules", default=os.path.join(PROJECT, "rules", "lync-server-2013"))
    ap.add_argument("--slow", type=float, default=1,
                    help="times the usual time limit, for builds with sanitizers")


def main():
    ap = argparse.ArgumentParser()
    add_arguments(ap)
    ap.add_argument("--without-tshark", action="store_true", help="only run the audits")
    ap.add_argument("--verbose", action="store_true", help="all differences, not the first five")
    args = ap.parse_args()
    args.tshark = tshark.available() and not args.without_tshark

    outcomes = []
    with tempfile.TemporaryDirectory(prefix="lyncaudit-differential-") as folder:
        if args.tshark:
            tshark.configure(folder)
        for path, named in captures_in(args.paths):
            outcomes.append(compare(args, path, named, folder))
            print(outcomes[-1].line(), flush=True)
            for why in outcomes[-1].why[:None if args.verbose else 5]:
                print("    " + why)
    print_table(outcomes)
    if any(o.state in ("failed", "differs") for o in outcomes):
        return 1
    if not args.tshark and not args.without_tshark:
        print("tshark is not installed: no packet, conversation or byte was compared with it")
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())

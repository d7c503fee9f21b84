#!/usr/bin/env python3
"""What lyncaudit says is spoken, against what tshark says, for any captures.

usage: applications.py FOLDER|FILE... --program PATH [--site FILE] [--rules DIR] [--verbose]

Each capture (a folder is searched through, what is no capture is passed over) is audited,
and the `application` of its flows is compared with what tshark names in the same
conversation.  A conversation is what has the same ends, over port reuse and timeouts: of
several flows each one's application must be named.  Where they differ, the reason is
looked for in tshark's own fields, or tshark is asked again with its ports told (KINDS
below); what finds no reason is a failure.

Prints each disagreement without a reason (with --verbose all of them), a table by
protocol and one by kind.  Exit status: 0 agreement, 1 a failure or a disagreement without
a reason, 77 tshark is missing.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter

import compare
import spoken
import tshark

SKIPPED = 77
NOTHING = (None, "unknown")
IN_SEQUENCE, STEP_MAX = 3, 50  # lyncaudit/app.h: what makes RTP out of a hint
UNKNOWN_ENOUGH = 16  # src/app/app.c: datagrams of no known protocol that are looked at
PRE_LOGIN = "18"
SSL_2 = "0x0002"
DNS_CLASSES = (1, 3, 4, 254, 255)

KINDS = {
    "port": "tshark goes by the port; nothing in the packets proves the protocol to it",
    "asked": "tshark does not look for the protocol at that port, or waits for the end of a "
             "message; told to decode it so, it reads the same",
    "no name": "tshark has no dissector of that name",
    "method": "tshark knows HTTP by its methods, lyncaudit by the version at the end of the line",
    "confirm": "tshark knows RDP by the client's request, lyncaudit by the server's answer, too",
    "hint": "fewer than three packets of one source in sequence are no RTP for lyncaudit; tshark's "
            "heuristics take one",
    "late": "it begins after more datagrams of no known protocol than lyncaudit looks at",
    "SSL 2": "SSL 2.0 is not TLS",
    "pseudo-TLS": "a hello of one suite that no server would choose, without extensions, is how "
                  "MS-TURN begins; tshark takes it for TLS",
    "record": "one TLS record of a connection whose start was missed is a hint",
    "start": "the start of the connection was missed, and what is there does not show alone what "
             "it is",
    "begins": "the stream begins with something else, which tshark passes over",
    "rewritten": "the same place of the stream was sent with other bytes before: the first count",
    "swapped": "the first bytes that were seen came in the wrong order, and no SYN told where they "
               "begin",
    "fragments": "a datagram whose other fragments are missing is not looked at",
    "questions": "multicast DNS with several questions, or answers without one",
    "DNS header": "operation, counts or bits that no resolver sends",
    "DNS question": "a name, type or class that cannot be, or bytes that nothing counts",
    "NetBIOS": "a NetBIOS name on DNS's port",
    "connectionless": "DCE/RPC in datagrams is another protocol than the documented one",
    "pre-login": "TDS is known by the message that opens it, which is missing",
}


class Case:
    """A conversation as both see it."""

    def __init__(self, path, key, flows, conversation):
        self.path, self.key, self.flows, self.conversation = path, key, flows, conversation
        self.ours = {f["application"] for f in flows} - set(NOTHING)
        self.theirs = conversation.theirs()
        told = conversation.words()
        self.claims = [w for w in self.theirs if told[w]]

    def state(self):
        if not self.ours:
            return "only tshark" if self.theirs else "neither"
        if self.ours <= set(self.theirs):
            return "agree"
        return "other" if self.claims else "only ours"

    def protocols(self):
        """The rows of the table that the case counts for."""
        return self.ours or self.theirs[:1]

    def packets_of(self, word):
        return [p for p in self.conversation.packets if p.word() == (word, True)]

    def line(self):
        return "%s %s:%d <-> %s:%d: lyncaudit %s, tshark %s" % (
            self.key[0], *self.key[1], *self.key[2],
            ", ".join(sorted(str(f["application"]) for f in self.flows)),
            ", ".join(self.conversation.words()) or "nothing")


# ---- reasons -----------------------------------------------------------------------

def is_hint(case, word):
    """No source of a side has three packets of it in sequence."""
    if word not in ("rtp", "rtcp"):
        return False
    runs, longest = {}, 0
    for packet in case.packets_of(word):
        if word == "rtp":
            source, number = packet.ends + (packet.values("rtp.ssrc")[0],), packet.number("rtp.seq")
        else:  # reports are not numbered: one source after the other
            source, number = packet.ends, packet.number("rtcp.senderssrc")
        last, run = runs.get(source, (number - 1, 0))
        step = (number - last) % 65536
        if word == "rtp" and step == 0:
            continue  # the same one again
        goes_on = step <= STEP_MAX if word == "rtp" else step == 0
        runs[source] = (number, run + 1 if goes_on else 1)
        longest = max(longest, runs[source][1])
    return longest < IN_SEQUENCE


def is_late(case, word):
    """UDP: others come before, which tshark names nothing of lyncaudit's."""
    before = [p.word()[0] for p in case.conversation.packets]
    before = before[:before.index(word)]
    return case.key[0] == "udp" and len(before) >= UNKNOWN_ENOUGH


def is_one_record(case, word):
    records = sum(len(p.values("tls.record.content_type") + p.values("tls.record.opaque_type"))
                  for p in case.conversation.packets)
    return word == "tls" and records == 1 and is_midstream(case, word)


def is_midstream(case, word):
    return case.key[0] == "tcp" and all(f["state"] == "midstream" for f in case.flows)


def is_rewritten(case, word):
    first = {}
    for packet in case.conversation.packets:
        data = packet.values("tcp.payload")
        if not data:
            continue
        known = first.setdefault((packet.ends, packet.all["tcp.seq_raw"]), data[0])
        n = min(len(known), len(data[0]))
        if known[:n] != data[0][:n]:
            return True
    return False


def begins_otherwise(case, word):
    named = [p.word() for p in case.conversation.packets if p.labels]
    return case.key[0] == "tcp" and named[0] != (word, True)


def is_cut(case, word):
    return all(f["application"] is None for f in case.flows) and \
        any(p.is_cut_datagram() for p in case.conversation.packets)


def is_swapped(case, word):
    """TCP, no SYN of the side: a later segment was seen before the first one."""
    seen = {}
    for packet in case.conversation.packets:
        if packet.all["tcp.payload"]:
            first = seen.setdefault(packet.ends, packet.number("tcp.seq_raw"))
            if 0 < (first - packet.number("tcp.seq_raw")) % 2**32 < 2**20:
                return True
    return False


def dns_fault(packet):
    """Why a DNS message is none for lyncaudit; None: it is one."""
    number = packet.number
    query = packet.all["dns.flags.response"] not in ("1", "True")
    name = packet.all["dns.qry.name"]
    if number("dns.count.queries") != 1:
        return "questions"
    if number("dns.flags.opcode") not in (0, 4, 5) or packet.all["dns.flags.z"] in ("1", "True"):
        return "DNS header"
    if query and number("dns.flags.opcode") == 0 and (
            number("dns.count.answers") + number("dns.count.auth_rr") > 0 or
            number("dns.count.add_rr") > 2 or number("dns.flags.rcode") != 0):
        return "DNS header"
    if re.fullmatch("[A-P]{32}", name):
        return "NetBIOS"
    if not name or (name[0] == "<" and name != "<Root>") or number("dns.qry.type") in (0, 32) or \
            number("dns.qry.class") & 0x7FFF not in DNS_CLASSES or \
            packet.all["dns.extraneous.length"]:
        return "DNS question"
    return None


def dns_kind(case, word):
    faults = [dns_fault(p) for p in case.packets_of("dns")] if word == "dns" else [None]
    return None if None in faults else faults[0]


REASONS = (
    ("fragments", is_cut),
    ("connectionless", lambda case, word: word == "dcerpc" and case.key[0] == "udp"),
    ("hint", is_hint),
    ("late", is_late),
    ("pre-login", lambda case, word: word == "tds" and not any(
        PRE_LOGIN in p.values("tds.type") for p in case.conversation.packets)),
    ("SSL 2", lambda case, word: word == "tls" and all(
        v == SSL_2 for p in case.conversation.packets for v in p.values("tls.record.version"))),
    ("record", is_one_record),
    ("rewritten", is_rewritten),
    ("begins", begins_otherwise),
    ("start", is_midstream),
    ("swapped", is_swapped),
)


def why_not_ours(case, word):
    """Why lyncaudit does not name what tshark proves; None: no reason."""
    return dns_kind(case, word) or \
        next((kind for kind, holds in REASONS if holds(case, word)), None)


def why_not_theirs(case, word, folder):
    """Why tshark does not name what lyncaudit does; None: no reason."""
    if word in ("ms-turn", "pseudo-tls") and case.conversation.is_pseudo_tls():
        return "pseudo-TLS"
    if not spoken.DECODE_AS[case.key[0]].get(word):
        return "no name"
    ports = {f["dport"] for f in case.flows if f["application"] == word}
    if any(spoken.asked(case.path, folder, case.key, port, word) for port in sorted(ports)):
        return "asked"
    if word == "rdp" and any("cotp" in p.labels for p in case.conversation.packets):
        return "confirm"
    return "method" if word == "http" and has_http_version(case) else None


def has_http_version(case):
    lines = (bytes.fromhex(p.values("tcp.payload")[0]).split(b"\n")[0]
             for p in case.conversation.packets if p.all["tcp.payload"])
    return any(re.fullmatch(rb"[A-Z_-]+ .* HTTP/[0-9]\.[0-9]\r?", line) for line in lines)


def explain(case, state, folder):
    """The kind of a disagreement; None: it has no reason."""
    if state == "only tshark":
        if not case.claims:
            return "port"
        kinds = [why_not_ours(case, word) for word in case.claims]
    else:
        kinds = [why_not_theirs(case, word, folder)
                 for word in sorted(case.ours - set(case.theirs))]
    return None if None in kinds else kinds[0]


# ---- files -------------------------------------------------------------------------

class Result:
    def __init__(self):
        self.files = Counter()      # state of a file -> how many
        self.table = Counter()      # (protocol, state) -> conversations
        self.kinds = Counter()      # (kind, protocol) -> conversations
        self.neither = 0
        self.failed = []            # sentences

    def take(self, args, path, named, folder):
        outcome = compare.Outcome(path)
        if compare.audit(args, path, named, folder, outcome) is None:
            self.files[outcome.state] += 1
            if outcome.state == "failed":
                self.fail(path, outcome.why)
            return
        flows = flows_by_ends(os.path.join(folder, "flows.jsonl"))
        if not flows:
            self.files["without flows"] += 1
            return
        try:
            conversations, said = spoken.read(path, folder)
        except subprocess.TimeoutExpired:
            conversations, said = {}, "tshark did not end"
        self.files["compared" if conversations or not said else "unread"] += 1
        for key in sorted(set(flows) & set(conversations)):
            self.judge(args, Case(path, key, flows[key], conversations[key]), folder)

    def judge(self, args, case, folder):
        state = case.state()
        if state == "neither":
            self.neither += 1
            return
        self.table.update((protocol, state) for protocol in case.protocols())
        if state == "agree":
            return
        kind = explain(case, state, folder)
        self.kinds.update((kind, protocol) for protocol in case.protocols())
        if kind is None:
            self.fail(case.path, [case.line()])
        elif args.verbose:
            print("%s: %s (%s)" % (case.path, case.line(), kind), flush=True)

    def fail(self, path, why):
        self.failed += ["%s: %s" % (path, w) for w in why]
        print("\n".join("%s: %s" % (path, w) for w in why), flush=True)

    def print(self):
        states = ("agree", "only ours", "only tshark", "other")
        print("\n%s\n" % ", ".join("%d %s" % (n, s) for s, n in sorted(self.files.items())))
        print("%-10s" % "protocol" + "".join("%13s" % s for s in states))
        for protocol in sorted({p for p, _ in self.table}):
            print("%-10s" % protocol + "".join("%13d" % self.table[protocol, s] for s in states))
        print("%-10s" % "sum" + "".join("%13d" % sum(
            n for (_, s), n in self.table.items() if s == state) for state in states))
        print("%d conversations of which neither names a protocol of these\n" % self.neither)
        for kind, meaning in KINDS.items():
            count = {p: n for (k, p), n in self.kinds.items() if k == kind}
            if count:
                print("%-14s %5d: %s\n%22s(%s)" % (
                    kind, sum(count.values()), meaning, "",
                    ", ".join("%s %d" % c for c in sorted(count.items()))))
        print("%d without a reason" % len(self.failed))


def flows_by_ends(path):
    """The flow log by conversation; fragments without their ports are left out."""
    by_ends = {}
    with open(path) as f:
        for line in f:
            flow = json.loads(line)
            if flow["sport"] is not None:
                ends = sorted(((flow["src"], flow["sport"]), (flow["dst"], flow["dport"])))
                by_ends.setdefault((flow["transport"],) + tuple(ends), []).append(flow)
    return by_ends


def main():
    ap = argparse.ArgumentParser()
    compare.add_arguments(ap)
    ap.add_argument("--verbose", action="store_true", help="explained disagreements too")
    args = ap.parse_args()
    if not tshark.available():
        print("tshark is not installed: no application was compared with what it says")
        return SKIPPED
    result = Result()
    with tempfile.TemporaryDirectory(prefix="lyncaudit-applications-") as folder:
        for path, named in compare.captures_in(args.paths):
            result.take(args, path, named, folder)
    result.print()
    return 1 if result.failed or not result.table else 0


if __name__ == "__main__":
    sys.exit(main())

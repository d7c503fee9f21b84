#!/usr/bin/env python3
"""Audit a capture of the lab and compare with what its script wrote down.

usage: compare.py PROGRAM CASE [--rules DIR] [--keep DIR] [--instead FILE]...

CASE is a folder with a case.json:

  site       site description, relative to the folder
  captures   captures, likewise; beside each NAME.pcap[ng] lies NAME.truth.jsonl
  options    further options of the audit
  place      where the sensor stands: the site is told of it (left out: it does not say)
  exit       exit status that the audit must end with
  report     finding types that no flow carries: "must" be there, "may" be there

Every line of the truth (its keys are explained in tests/lab/traffic.py) must be
met by its flows in the flow log, and no flow may be left that no line explains.
Counts, verdict, severities, roles, volumes and Community IDs of report and flow log
are checked from the truth, the site and the capture's own packets.  Prints each
difference; exit status 1 when there is one.
"""

import argparse
import base64
import hashlib
import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import variants  # noqa: E402
import wire  # noqa: E402

TIMEOUT = 60  # seconds; an audit of these captures takes well below one

VERDICTS = ["documented", "waived", "wrong-direction", "unexpected-port", "undocumented-path",
            "undetermined", "out-of-scope"]
LEVELS = ["critical", "high", "medium", "low", "info"]
SEVERITY = {"wrong-direction": "high", "undocumented-path": "high", "unexpected-port": "medium",
            "wrong-load-balancing": "medium", "feature-not-deployed": "low", "cleartext": "high",
            "missing-mutual-tls": "high", "protocol-mismatch": "medium",
            "av-edge-relay": "medium"}
GRADE = {"syn": ["certain"], "syn-ack": ["certain", "strong"], "protocol": ["certain"],
         "documented-port": ["strong"], "known-listener": ["strong"], "port-order": ["hint"],
         "first-packet": ["hint"]}
OUTER_SIDE = {"edge-access", "edge-webconf", "edge-av", "edge-access-vip", "edge-webconf-vip",
              "edge-av-vip", "reverse-proxy-external"}


class Differences:
    def __init__(self):
        self.count = 0

    def add(self, what, *more):
        self.count += 1
        print("DIFFERENCE: " + what)
        for m in more:
            print("    " + m)


def show(flow):
    return "%s %s:%s -> %s:%s %s" % (flow["transport"], flow["src"], flow["sport"], flow["dst"],
                                     flow["dport"], flow.get("verdict", ""))


def end(flow, side):
    return flow[side], flow["sport" if side == "src" else "dport"] or 0


def same_ends(flow, truth, swapped):
    a, b = end(flow, "src"), end(flow, "dst")
    if swapped:
        a, b = b, a
    if flow["transport"] != truth["transport"] or a[0] != truth["src"] or b[0] != truth["dst"]:
        return False
    if truth["dport"] is None:
        return a[1] == 0 and b[1] == 0
    return b[1] == truth["dport"] and truth["sport"] in (None, a[1])


def assign(truths, flows, diff):
    """Pairs of truth line and flow; every line exactly, every flow once."""
    left = list(flows)
    pairs = []
    # Lines that know their source port choose first.
    for t in sorted(truths, key=lambda t: (t["sport"] is None, t["dport"] is None)):
        hits = [f for f in left if same_ends(f, t, False)]
        if t["count"] and t["sport"] is None:
            hits = hits[:t["count"]]
        turned = [f for f in left if same_ends(f, t, True) and f not in hits]
        if t["either"]:
            hits += turned
        if len(hits) != t["count"] and (t["count"] or not hits):
            diff.add("%d flows instead of %d" % (len(hits), t["count"]), show(t),
                     *(["opened from the other end: " + show(f) for f in turned]
                       if not hits else []))
        for f in hits:
            left.remove(f)
            pairs.append((t, f))
        if not hits and turned:
            left.remove(turned[0])
    for f in left:
        if f["dport"] is None and any(t["tail"] and f["src"] == t["src"] and f["dst"] == t["dst"]
                                      for t in truths):
            continue
        diff.add("a flow that nobody opened", show(f), json.dumps(f))
    return pairs


def community_id(flow):
    """Version 1, seed 0."""
    proto = 6 if flow["transport"] == "tcp" else 17
    ends = []
    for side in ("src", "dst"):
        addr, port = end(flow, side)
        fam = socket.AF_INET6 if ":" in addr else socket.AF_INET
        ends.append((socket.inet_pton(fam, addr), port))
    (a, ap), (b, bp) = sorted(ends)
    raw = struct.pack("!H", 0) + a + b + struct.pack("!BBHH", proto, 0, ap, bp)
    return "1:" + base64.b64encode(hashlib.sha1(raw).digest()).decode()


def judge(t, f, findings, roles, diff):
    """One flow against its line."""
    wrong = []

    def want(name, ok, wanted):
        if not ok:
            wrong.append("%s: wanted %s, got %s" % (name, wanted, json.dumps(f.get(name))))

    want("verdict", f["verdict"] == t["verdict"], t["verdict"])
    want("rules", set(t["rules"]) <= set(f["rules"]), "at least " + json.dumps(t["rules"]))
    if t["cited"]:
        want("rules", f["rules"], "some row")
    if t["verdict"] != "documented":
        want("rules", f["rules"] == [], "no row")
    if t["leg"] != "*":
        want("leg", f["leg"] == t["leg"], json.dumps(t["leg"]))
    want("waiver", f["waiver"] == t["waiver"], json.dumps(t["waiver"]))
    if t["states"]:
        want("state", f["state"] in t["states"], " or ".join(t["states"]))
    if t["basis"]:
        want("basis", f["basis"] == t["basis"], t["basis"])
    want("grade", f["grade"] in GRADE[f["basis"]], " or ".join(GRADE[f["basis"]]))
    for side in ("src", "dst"):
        declared = roles.get(f[side], set())
        want(side + "_roles", declared <= set(f[side + "_roles"]), sorted(declared))
    if t["speaks"]:
        named = None if t["speaks"] == "none" else t["speaks"]
        want("application", f["application"] == named, json.dumps(named))
    if "child" in t:
        want("rpc_child", f["rpc_child"] == t["child"], json.dumps(t["child"]))
    if t["dport"] is not None:
        want("community_id", f["community_id"] == community_id(f), community_id(f))
    unknown = [i for i in f["findings"] if i not in findings]
    if unknown:
        wrong.append("findings that the report does not have: " + ", ".join(unknown))
    types = {findings[i]["type"] for i in f["findings"] if i in findings}
    missing = set(t["findings"]) - types
    surplus = types - set(t["findings"]) - set(t["later"])
    if missing:
        wrong.append("findings missing: " + ", ".join(sorted(missing)))
    if surplus:
        wrong.append("findings too many: " + ", ".join(sorted(surplus)))
    if t["nearest"]:
        named = [findings[i]["nearest"]["rule"] for i in f["findings"]
                 if i in findings and findings[i].get("nearest")]
        if not set(named) & set(t["nearest"]):
            wrong.append("nearest row: wanted one of %s, got %s" % (t["nearest"], named))
    if wrong:
        diff.add("connection %d of %s" % (t["conn"], t["capture"]), show(t), show(f),
                 *wrong + (["reading: " + t["why"]] if t["why"] else []))


def declared_roles(site_path):
    roles = {}
    for host in variants.load(site_path)["hosts"]:
        for role, addrs in host["roles"].items():
            for a in addrs:
                roles.setdefault(a, set()).add(role)
    return roles


def place_sensor(site_path, place, captures, out):
    """The same site, which says where the sensor of these captures stands."""
    site = variants.load(site_path)
    site["sensors"] = [{"source": os.path.basename(c), "place": place} for c in captures]
    variants.write(os.path.join(out, "site.json"), site)
    return os.path.join(out, "site.json")


def check_volumes(paths, report, truths, flows, only_ip, diff):
    """Packets and IP bytes of every conversation, as the files themselves have them.

    only_ip: what was read in their place carries nothing else.
    """
    seen, total, other = {}, 0, 0
    for path in paths:
        for _, frame, _ in wire.read_any(path):
            total += 1
            e = wire.ends(frame)
            if e is None and only_ip and not wire.is_ip(frame):
                total -= 1
                continue
            if e is None:
                other += 1
                continue
            key = (e[0],) + tuple(sorted([(e[1], e[2] or 0), (e[3], e[4] or 0)]))
            count = seen.setdefault(key, [0, 0])
            count[0] += 1
            count[1] += wire.ip_bytes(frame)
    if report["capture"]["packets"] != total:
        diff.add("capture: %d packets instead of %d" % (report["capture"]["packets"], total))
    counted = report["capture"]["not_ip"] + report["capture"]["not_tcp_udp"]
    if counted != other:
        diff.add("capture: %d packets are no TCP or UDP over IP, instead of %d" % (counted, other))
    if any(t["tail"] or t["dport"] is None for t in truths):
        return  # who counts a fragment is open
    for f in flows:
        key = (f["transport"],) + tuple(sorted([end(f, "src"), end(f, "dst")]))
        count = seen.setdefault(key, [0, 0])
        count[0] -= sum(f["packets"])
        count[1] -= sum(f["bytes"])
    for key, (packets, octets) in seen.items():
        if packets or octets:
            diff.add("%s %s %s: %d packets and %d bytes of the capture are missing in the flow log"
                     % (key + (packets, octets)))


def lower(level):
    return LEVELS[min(LEVELS.index(level) + 1, len(LEVELS) - 1)]


def wanted_severity(finding, flows):
    """What policy-model gives a finding of these flows, or None where that is open."""
    kind = finding["type"]
    through = [f for f in flows if f["state"] not in ("attempted", "refused")]
    if kind == "av-edge-snat":
        inside = all({"edge-internal", "edge-internal-vip"} & set(f["dst_roles"]) for f in flows)
        return "medium" if inside or finding["level"] == "observed" else "critical"
    if kind == "cleartext" and any({"external", "federated-partner"} & set(f["src_roles"] +
                                                                         f["dst_roles"])
                                   for f in flows):
        return "critical"
    if kind not in SEVERITY or any(f["transport"] == "udp" and not f["packets"][1]
                                   for f in flows):
        return None
    level = SEVERITY[kind]
    f = flows[0]
    if kind in ("wrong-direction", "undocumented-path", "unexpected-port") \
            and "external" in f["src_roles"] and not OUTER_SIDE & set(f["dst_roles"]):
        if not through:
            return None  # one below critical or one below the type's own: open
        level = "critical"
    return level if through or kind == "feature-not-deployed" else lower(level)


def check_findings(report, flows, case, diff):
    by_id = {}
    for f in flows:
        for i in f["findings"]:
            by_id.setdefault(i, []).append(f)
    extra = case.get("report", {})
    seen = set()
    for g in report["findings"]:
        seen.add(g["type"])
        for key in ("what", "why", "fix"):
            if not g.get(key):
                diff.add("finding %s (%s) has no \"%s\"" % (g["id"], g["type"], key))
        mine = by_id.get(g["id"])
        if mine is None:
            if g["type"] not in extra.get("must", []) + extra.get("may", []):
                diff.add("a finding that no flow carries: %s %s" % (g["type"], g["id"]),
                         str(g.get("what")))
            continue
        level = wanted_severity(g, mine)
        if level and g["severity"] != level:
            diff.add("finding %s (%s): severity %s instead of %s"
                     % (g["id"], g["type"], g["severity"], level), show(mine[0]))
        if g["flows"] != len(mine):
            diff.add("finding %s (%s) counts %d flows, the flow log %d"
                     % (g["id"], g["type"], g["flows"], len(mine)))
    for kind in extra.get("must", []):
        if kind not in seen:
            diff.add("no finding of type " + kind)


def payload_of(frame, e):
    return frame[e[5] + (8 if e[0] == "udp" else (frame[e[5] + 12] >> 4) * 4):]


MS_COOKIE = b"\x00\x0f\x00\x04\x72\xc6\x4b\xc6"


def stun_ids(frame, e):
    """Transaction ids of the STUN messages that a payload begins with."""
    p, found = payload_of(frame, e), set()
    while True:
        if len(p) >= 24 and p[0] == 2 and p[1] == 0:
            p = p[4:]  # MS-TURN's own frame
        if len(p) < 20 or p[0] > 1 \
                or p[4:8] != b"\x21\x12\xa4\x42" and p[20:28] != MS_COOKIE:
            return found
        if p[:2] != b"\x01\x15" and (p[0] & 1 or not p[1] & 0x10):
            found.add(p[4:20])  # an indication is no transaction
        p = p[20 + struct.unpack_from("!H", p, 2)[0]:]


def hello_random(frame, e):
    """Of a ClientHello at the beginning of a segment, and whether it is MS-TURN's imitation."""
    p = payload_of(frame, e)
    if p[:1] != b"\x16" or p[5:6] != b"\x01":
        return None
    return p[11:43], p[43:] == b"\x00\x00\x02\x00\x18\x01\x00"


SNAT_WORDS = [a + b for a in ("transactions_", "connections_") for b in ("preserved", "rewritten")]


class Legs:
    """What pairs two legs, from the packets themselves; a port that is None fits any."""

    def __init__(self, paths):
        self.ids, self.keys = {}, {}
        for path in paths:
            for _, frame, _ in wire.read_any(path):
                e = wire.ends(frame)
                if e is None or e[2] is None:
                    continue
                for key in (e[:5], (e[0],) + e[3:5] + e[1:3]):
                    self.ids.setdefault(key, set()).update(stun_ids(frame, e))
                if e[0] == "tcp":
                    self._take_opening(e, frame)

    def _take_opening(self, e, frame):
        keys = self.keys.setdefault(e[:5], set())
        if frame[e[5] + 13] & 0x12 == 2:
            keys.add((frame[e[5] + 4:e[5] + 8], False))
        keys.add(hello_random(frame, e))
        keys.discard(None)

    @staticmethod
    def of(table, line):
        found = set()
        for key, values in table.items():
            if (key[0], key[1], key[3], key[4]) == (line["transport"], line["src"], line["dst"],
                                                    line["dport"]) \
                    and line["sport"] in (None, key[2]):
                found |= values
        return found


def wanted_snat(truths, paths, roles):
    """What truth and packets say of both sides of the external A/V VIPs: by VIP and node."""
    vips = {a for a, r in roles.items() if "edge-av-vip" in r}
    nodes = {a for a, r in roles.items() if "edge-av" in r}
    balancers = {a for a, r in roles.items() if "hlb" in r or any(x.endswith("-vip") for x in r)}
    legs = Legs(paths)
    want = {}
    for t in truths:
        if t["dst"] not in vips:
            continue
        for leg in truths:
            if leg["conn"] != t["conn"] or leg["capture"] != t["capture"] \
                    or leg["dst"] not in nodes or leg["transport"] != t["transport"]:
                continue
            same = (t["src"], t["sport"]) == (leg["src"], leg["sport"])
            alone = t["sport"] is not None  # else so many, each with its sequence number
            how = "preserved" if same else "rewritten"
            count = want.setdefault((t["dst"], leg["dst"]), {})
            ids = legs.of(legs.ids, t) & legs.of(legs.ids, leg)
            # An imitated hello may be the same every time: it proves no stranger the balancer.
            key = {k for k, imitated in legs.of(legs.keys, t) & legs.of(legs.keys, leg)
                   if same or not imitated or leg["src"] in balancers}
            for what, n in (("transactions_" + how, len(ids)),
                            ("connections_" + how, min(len(key), 1) if alone else len(key))):
                count[what] = count.get(what, 0) + n
    return want


def check_snat(report, truths, paths, roles, diff):
    want = wanted_snat(truths, paths, roles)
    for pair in report["snat"]["vips"]:
        count = want.pop((pair["vip"], pair["node"]), {})
        for w in SNAT_WORDS:
            if pair[w] != count.get(w, 0):
                diff.add("snat: %s to %s: %d %s instead of %d"
                         % (pair["vip"], pair["node"], pair[w], w, count.get(w, 0)))
    for w in SNAT_WORDS:
        total = sum(p[w] for p in report["snat"]["vips"])
        if report["snat"][w] != total:
            diff.add("snat: %d %s in all, %d by VIP" % (report["snat"][w], w, total))
    for (vip, node), count in want.items():
        if any(count.values()):
            diff.add("snat: nothing of %s to %s, wanted %s" % (vip, node, count))


def is_private(addr):
    """As policy-model has it: documentation ranges are public."""
    return any(ipaddress.ip_address(addr) in ipaddress.ip_network(n)
               for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                         "169.254.0.0/16", "fe80::/10", "fc00::/7"))


EDGE_KEY = ("address", "of", "host", "kind", "seen", "flows", "sent")


def wanted_edge(flows, paths, site):
    """The addresses outside of the Edge, as the site has them, flow log and packets show them:
    by pool and service, and how many public ones by pool and family."""
    sent = set()
    for path in paths:
        sent |= {e[1] for e in (wire.ends(f) for _, f, _ in wire.read_any(path)) if e}
    services, public = {}, {}
    for host in site["hosts"]:
        for role, addrs in host["roles"].items():
            edge, _, word = role.partition("-")
            service, _, vip = word.partition("-")
            if edge != "edge" or service not in ("access", "webconf", "av"):
                continue
            for a in addrs:
                mine = [f for f in flows if a in (f["src"], f["dst"])]
                talks = [f for f in mine if f["packets"][a != f["src"]]]
                services.setdefault((host.get("pool"), service), []).append(
                    (a, vip or "node", host["name"], "private" if is_private(a) else "public",
                     int(a in sent), len(mine), len(talks)))
                if not is_private(a):
                    family = "ipv6" if ":" in a else "ipv4"
                    public.setdefault((host.get("pool"), family), set()).add(a)
    return services, {k: (len(v), len(v & sent)) for k, v in public.items()}


def check_edge(report, flows, paths, site, diff):
    services, public = wanted_edge(flows, paths, site)
    for pool in report["edge_addresses"]["pools"]:
        for s in pool["services"]:
            want = sorted(services.pop((pool["pool"], s["service"]), []))
            got = sorted(tuple(a[k] for k in EDGE_KEY) for a in s["addresses"])
            for a in set(want) ^ set(got):
                diff.add("edge_addresses: %s of %s" % (s["service"], pool["pool"]),
                         ("missing " if a in want else "too many ") + str(a))
            if (s["declared"], s["seen"]) != (len(want), sum(a[4] for a in want)):
                diff.add("edge_addresses: the sums of " + s["service"], json.dumps(s))
        for p in pool["public"]:
            if public.pop((pool["pool"], p["family"]), (0, 0)) != (p["declared"], p["seen"]):
                diff.add("edge_addresses: the public addresses", json.dumps(p))
    for missing in list(services) + list(public):
        diff.add("edge_addresses: nothing of %s, %s" % missing)


def check_probes(report, pairs, diff):
    """Probes of A/V Edge nodes are counted, and nothing else of them."""
    wanted = sum(1 for t, f in pairs if t["leg"] == "probe" and "edge-av" in f["dst_roles"])
    if report["snat"]["probes"] != wanted:
        diff.add("snat: %d probes instead of %d" % (report["snat"]["probes"], wanted))


def check_leg(leg, value, paths, diff, where):
    """The packet that a proof names: its ends, its time, the value in it."""
    path = next((p for p in paths if os.path.basename(p) == os.path.basename(leg["source"])), None)
    frames = list(wire.read_any(path)) if path else []
    if not 0 < leg["packet"] <= len(frames):
        diff.add(where + ": names a packet that is not there", json.dumps(leg))
        return
    time_ns, frame, _ = frames[leg["packet"] - 1]
    e = wire.ends(frame)
    ends = [(leg["client"], leg["client_port"]), (leg["server"], leg["server_port"])]
    if e is None or [e[1:3], e[3:5]] not in (ends, ends[::-1]):
        diff.add(where + ": the packet has other ends", json.dumps(leg), str(e))
    if value and value not in frame:
        diff.add(where + ": the packet does not hold " + value.hex(), json.dumps(leg))
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ns // 10**9))
    if leg["time"] != "%s.%09dZ" % (second, time_ns % 10**9):
        diff.add(where + ": the packet has another time", json.dumps(leg))


def check_proofs(report, pairs, paths, diff):
    """Findings about the A/V Edge show what was done, and the packets that show it."""
    for g in report["findings"]:
        if g["type"] not in ("av-edge-snat", "av-edge-relay"):
            continue
        where = "finding %s (%s)" % (g["id"], g["type"])
        lines = [t for t, f in pairs if g["id"] in f["findings"]]
        if any(t.get("shows") is None for t in lines):
            continue  # a capture that does not say
        proof = g["proof"] or {"legs": []}
        if g["type"] == "av-edge-snat":
            kinds = sorted({k for t in lines for k in t["shows"]})
            if sorted(proof.get("kinds", [])) != kinds:
                diff.add("%s: shows %s instead of %s" % (where, proof.get("kinds"), kinds),
                         *[show(t) for t in lines])
            level = "observed" if all(t["level"] == "observed" for t in lines) else "proven"
            if g["level"] != level:
                diff.add("%s: %s instead of %s" % (where, g["level"], level))
        for t in lines:
            for what, (addr, low, high) in (t["gives"] or {}).items():
                said = proof.get(what) or {"address": None, "port": 0}
                if said["address"] != addr or not low <= said["port"] <= high:
                    diff.add("%s: names %s %s instead of %s" % (where, what, said, t["gives"]))
        value = proof.get("transaction") or proof.get("sequence") or proof.get("random")
        for leg in proof["legs"] if paths else []:
            check_leg(leg, bytes.fromhex(value or ""), paths, diff, where)


def check_mutual(report, truths, diff):
    """Mutual TLS, where the truth says for every line what is due."""
    if not any(t.get("mutual") for t in truths):
        return
    for word, n in report["summary"]["mutual_tls"].items():
        wanted = sum(t["count"] for t in truths if t["mutual"] == word)
        if n != wanted:
            diff.add("mutual TLS: %d %s instead of %d" % (n, word, wanted))


def check_summary(report, truths, flows, status, diff):
    got = report["summary"]["flows"]
    if all(t["count"] for t in truths):
        for v in VERDICTS:
            n = sum(t["count"] for t in truths if t["verdict"] == v)
            if got[v] != n:
                diff.add("summary: %d flows %s instead of %d" % (got[v], v, n))
    if got["total"] != len(flows):
        diff.add("summary: %d flows, the flow log has %d" % (got["total"], len(flows)))
    word = {0: "compliant", 1: "non-compliant", 3: "incomplete"}[status]
    if report["summary"]["verdict"] != word:
        diff.add("summary: verdict %s instead of %s" % (report["summary"]["verdict"], word))
    for level in LEVELS:
        n = sum(1 for g in report["findings"] if g["severity"] == level)
        if report["summary"]["findings"][level] != n:
            diff.add("summary: %d %s findings, the report lists %d"
                     % (report["summary"]["findings"][level], level, n))


def read_truth(case_dir, case):
    truths = []
    strict = "--strict" in case["options"]
    for name in case["captures"]:
        path = os.path.join(case_dir, os.path.splitext(name)[0] + ".truth.jsonl")
        with open(path) as f:
            for line in f:
                t = json.loads(line)
                if strict and t["strict"]:
                    t.update(t["strict"])
                t.update((t.get("places") or {}).get(case.get("place"), {}))
                truths.append(t)
    return truths


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("case")
    ap.add_argument("--rules")
    ap.add_argument("--instead", action="append",
                    help="read this in the place of the captures: the same packets, packed "
                         "otherwise (\"-\" is standard input)")
    ap.add_argument("--keep", help="leave report and flow log there")
    args = ap.parse_args()

    with open(os.path.join(args.case, "case.json")) as f:
        case = json.load(f)
    truths = read_truth(args.case, case)
    out = args.keep or tempfile.mkdtemp(prefix="lyncaudit-golden-")
    os.makedirs(out, exist_ok=True)
    report_path, flows_path = os.path.join(out, "report.json"), os.path.join(out, "flows.jsonl")
    captures = [os.path.join(args.case, c) for c in case["captures"]]
    site = os.path.join(args.case, case["site"])
    if case.get("place"):
        site = place_sensor(site, case["place"], captures, out)
    argv = [args.program, "audit", "-s", site]
    for c in args.instead or captures:
        argv += ["-r", c]
    if args.rules:
        argv += ["--rules", args.rules]
    argv += ["--flows", flows_path, "-o", report_path] + case["options"]

    diff = Differences()
    try:
        try:
            p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            diff.add("the audit did not end within %d seconds" % TIMEOUT)
            return 1
        if p.returncode != case["exit"]:
            diff.add("exit status %d instead of %d" % (p.returncode, case["exit"]),
                     *p.stdout.strip().splitlines()[-5:])
        if not (os.path.exists(report_path) and os.path.exists(flows_path)):
            diff.add("no report or no flow log was written")
            return 1
        with open(report_path) as f:
            report = json.load(f)
        with open(flows_path) as f:
            flows = [json.loads(line) for line in f]
        findings = {g["id"]: g for g in report["findings"]}
        pairs = assign(truths, flows, diff)
        roles = declared_roles(site)
        for t, f in pairs:
            judge(t, f, findings, roles, diff)
        check_volumes(captures, report, truths, flows, bool(args.instead), diff)
        check_snat(report, truths, captures, roles, diff)
        check_probes(report, pairs, diff)
        check_edge(report, flows, captures, variants.load(site), diff)
        check_proofs(report, pairs, [] if args.instead else captures, diff)
        check_mutual(report, truths, diff)
        check_summary(report, truths, flows, case["exit"], diff)
        check_findings(report, flows, case, diff)
    finally:
        if not args.keep:
            shutil.rmtree(out, ignore_errors=True)
    print("%s: %d connections and legs, %d flows, %d differences"
          % (os.path.basename(os.path.abspath(args.case)), len(truths), len(flows), diff.count))
    return 1 if diff.count else 0


if __name__ == "__main__":
    sys.exit(main())

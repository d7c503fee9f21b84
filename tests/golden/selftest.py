#!/usr/bin/env python3
"""The comparer itself: it must accept what is right and see each fault.

usage: selftest.py

Plays the part of the program with a flow log written from the truth of lab-rows,
first as it is, then with one thing wrong at a time.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import compare  # noqa: E402
from compare import wire  # noqa: E402

FAKE = """#!/usr/bin/env python3
import shutil, sys
a = sys.argv
shutil.copy(%r, a[a.index("-o") + 1])
shutil.copy(%r, a[a.index("--flows") + 1])
"""


def volumes(capture):
    """Packets and bytes of each conversation."""
    seen = {}
    for _, frame, _ in wire.read_any(capture):
        e = wire.ends(frame)
        if e:
            count = seen.setdefault((e[0], frozenset([(e[1], e[2]), (e[3], e[4])])), [0, 0])
            count[0] += 1
            count[1] += wire.ip_bytes(frame)
    return seen


def perfect(truths, capture, roles):
    """A flow log that says what the truth says."""
    flows = []
    seen = volumes(capture)
    used = set()
    for t in sorted(truths, key=lambda t: t["sport"] is None):
        for _ in range(t["count"]):
            f = {k: t[k] for k in ("transport", "src", "dst", "dport", "verdict", "waiver")}
            f.update(application=None if t["speaks"] == "none" else t["speaks"],
                     findings=[], sport=t["sport"],
                     leg=None if t["leg"] == "*" else t["leg"],
                     rules=t["rules"] or (["edge.1.1"] if t["cited"] else []),
                     state=(t["states"] or [None])[0], basis=t["basis"] or "documented-port")
            if t["sport"] is None:
                f["sport"] = next(sport for k in seen for (a, sport) in k[1]
                                  if k[0] == t["transport"] and a == t["src"]
                                  and (t["dst"], t["dport"]) in k[1] and k not in used
                                  and (a, sport) not in [(x["src"], x["sport"]) for x in flows])
            key = (f["transport"], frozenset([(f["src"], f["sport"]), (f["dst"], f["dport"])]))
            used.add(key)
            f["packets"], f["bytes"] = [seen[key][0], 0], [seen[key][1], 0]
            f["grade"] = compare.GRADE[f["basis"]][0]
            f["src_roles"] = sorted(roles.get(f["src"], []))
            f["dst_roles"] = sorted(roles.get(f["dst"], []))
            f["community_id"] = compare.community_id(f)
            flows.append(f)
    return flows


def snat_of(truths, capture, roles):
    pairs = compare.wanted_snat(truths, [capture], roles)
    pairs = [dict(dict.fromkeys(compare.SNAT_WORDS, 0), vip=vip, node=node, **count)
             for (vip, node), count in pairs.items()]
    probes = sum(t["leg"] == "probe" and "edge-av" in roles.get(t["dst"], []) for t in truths)
    return dict({w: sum(p[w] for p in pairs) for w in compare.SNAT_WORDS}, vips=pairs,
                probes=probes)


def edge_of(flows, capture, site):
    services, public = compare.wanted_edge(flows, [capture], site)
    pools = {}
    for (pool, service), addresses in services.items():
        p = pools.setdefault(pool, {"pool": pool, "services": [], "public": []})
        p["services"].append({
            "service": service, "declared": len(addresses), "seen": sum(a[4] for a in addresses),
            "addresses": [dict(zip(compare.EDGE_KEY, a)) for a in addresses]})
    for (pool, family), (declared, seen) in public.items():
        pools[pool]["public"].append({"family": family, "declared": declared, "seen": seen})
    return {"pools": list(pools.values()), "undeclared": []}


def report_of(flows, capture, snat, edge):
    frames = [frame for _, frame, _ in wire.read_any(capture)]
    other = sum(wire.ends(frame) is None for frame in frames)
    return {"findings": [], "snat": snat, "edge_addresses": edge, "capture": {
        "packets": len(frames), "not_ip": other, "not_tcp_udp": 0}, "summary": {
        "verdict": "compliant", "findings": dict.fromkeys(compare.LEVELS, 0),
        "flows": dict({v: sum(f["verdict"] == v for f in flows) for v in compare.VERDICTS},
                      total=len(flows))}}


def run(case, flows, report):
    with tempfile.TemporaryDirectory() as d:
        r, f, p = (os.path.join(d, n) for n in ("r", "f", "p"))
        with open(r, "w") as out:
            json.dump(report, out)
        with open(f, "w") as out:
            out.writelines(json.dumps(x) + "\n" for x in flows)
        with open(p, "w") as out:
            out.write(FAKE % (r, f))
        os.chmod(p, 0o755)
        done = subprocess.run([sys.executable, os.path.join(HERE, "compare.py"), p, case],
                              stdout=subprocess.PIPE, text=True)
        return done.returncode, done.stdout


def swap(f):
    f["src"], f["sport"], f["dst"], f["dport"] = f["dst"], f["dport"], f["src"], f["sport"]


def first(flows, test):
    return next(f for f in flows if test(f))


FAULTS = [
    ("another verdict", lambda fl: first(fl, lambda f: f["waiver"]).update(verdict="documented")),
    ("a row left out", lambda fl: first(fl, lambda f: len(f["rules"]) > 1)["rules"].pop()),
    ("no leg", lambda fl: first(fl, lambda f: f["leg"] == "balanced").update(leg=None)),
    ("a leg too many", lambda fl: first(fl, lambda f: f["waiver"]).update(leg="probe")),
    ("another waiver", lambda fl: first(fl, lambda f: f["waiver"]).update(waiver="EX-99")),
    ("another basis", lambda fl: first(fl, lambda f: f["basis"] == "syn").update(basis="protocol")),
    ("another protocol", lambda fl: first(fl, lambda f: f["application"] == "tls").update(
        application="http")),
    ("another end", lambda fl: swap(first(fl, lambda f: f["basis"] == "syn"))),
    ("another id", lambda fl: first(fl, lambda f: True).update(community_id="1:x")),
    ("a packet less", lambda fl: fl[0].update(packets=[fl[0]["packets"][0] - 1, 0])),
    ("a byte more", lambda fl: fl[0].update(bytes=[fl[0]["bytes"][0] + 1, 0])),
    ("another grade", lambda fl: fl[0].update(grade="hint")),
    ("a role less", lambda fl: first(fl, lambda f: f["src_roles"])["src_roles"].pop()),
    ("a flow less", lambda fl: fl.pop()),
    ("a flow more", lambda fl: fl.append(dict(fl[0], sport=1, src="192.0.2.200"))),
    ("a flow twice", lambda fl: fl.append(dict(fl[0]))),
    ("a finding", lambda fl: fl[0]["findings"].append("F-00000000")),
]


def proof_of(t, capture):
    """What a finding about that line must say, from the answer in the capture."""
    for n, (time_ns, frame, _) in enumerate(wire.read_any(capture), 1):
        e = wire.ends(frame)
        if e and e[1:3] == (t["dst"], t["dport"]) and e[3:5] == (t["src"], t["sport"]) \
                and compare.stun_ids(frame, e):
            break
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ns // 10**9))
    leg = {"client": t["src"], "client_port": t["sport"], "server": t["dst"],
           "server_port": t["dport"], "source": capture, "packet": n,
           "time": "%s.%09dZ" % (second, time_ns % 10**9)}
    return {"id": "F-1", "type": "av-edge-snat", "level": "proven", "proof": {
        "kinds": list(t["shows"]), "legs": [leg],
        "transaction": compare.stun_ids(frame, e).pop().hex()}}


PROOF_FAULTS = [
    ("another kind", lambda g: g["proof"]["kinds"].append("sticky-vip")),
    ("no kind", lambda g: g["proof"]["kinds"].clear()),
    ("another level", lambda g: g.update(level="observed")),
    ("another transaction", lambda g: g["proof"].update(transaction="00" * 16)),
    ("another packet", lambda g: g["proof"]["legs"][0].update(packet=1)),
    ("a packet that is not there", lambda g: g["proof"]["legs"][0].update(packet=9999)),
    ("another end", lambda g: g["proof"]["legs"][0].update(client_port=1)),
    ("another time", lambda g: g["proof"]["legs"][0].update(time="2000-01-01T00:00:00.0Z")),
]


def edge_address(report, service=2):
    return report["edge_addresses"]["pools"][0]["services"][service]["addresses"]


REPORT_FAULTS = [
    ("a probe too many", lambda r: r["snat"].update(probes=r["snat"]["probes"] + 1)),
    ("an address of the Edge less", lambda r: edge_address(r).pop()),
    ("an address of the Edge not seen", lambda r: edge_address(r)[0].update(seen=0)),
    ("one that sent nothing", lambda r: edge_address(r)[0].update(sent=0)),
    ("a private one", lambda r: edge_address(r)[0].update(kind="private")),
    ("a VIP that is none", lambda r: edge_address(r)[0].update(of="vip")),
    ("a public one less", lambda r: r["edge_addresses"]["pools"][0]["public"][0].update(seen=0)),
    ("no Edge", lambda r: r["edge_addresses"]["pools"].clear()),
]


def unseen_proof_faults():
    """Those that the comparer passes over, and what is right and it does not."""
    case = os.path.join(HERE, "lab-outside-rewritten")
    with open(os.path.join(case, "case.json")) as f:
        what = json.load(f)
    capture = os.path.join(case, what["captures"][0])
    t = next(t for t in compare.read_truth(case, what) if t["shows"] and t["transport"] == "udp")
    unseen = []
    for name, spoil in [("nothing", None)] + PROOF_FAULTS:
        g = proof_of(t, capture)
        if spoil:
            spoil(g)
        diff = compare.Differences()
        with contextlib.redirect_stdout(io.StringIO()):
            compare.check_proofs({"findings": [g]}, [(t, {"findings": ["F-1"]})], [capture], diff)
        if bool(diff.count) != bool(spoil):
            unseen.append("of a proof: " + name)
    lines = [{"count": 2, "mutual": "mutual"}, {"count": 1, "mutual": None}]
    for n in (1, 2):
        diff = compare.Differences()
        with contextlib.redirect_stdout(io.StringIO()):
            compare.check_mutual({"summary": {"mutual_tls": {"mutual": n}}}, lines, diff)
        if bool(diff.count) != (n == 1):
            unseen.append("%d of 2 handshakes" % n)
    return unseen


def main():
    case = os.path.join(HERE, "lab-rows")
    with open(os.path.join(case, "case.json")) as f:
        what = json.load(f)
    truths = compare.read_truth(case, what)
    capture = os.path.join(case, what["captures"][0])
    roles = compare.declared_roles(os.path.join(case, what["site"]))
    flows = perfect(truths, capture, roles)
    snat = snat_of(truths, capture, roles)
    edge = edge_of(flows, capture, compare.variants.load(os.path.join(case, what["site"])))
    report = report_of(flows, capture, snat, edge)
    failed = 0
    for word in ("transactions_preserved", "connections_preserved"):
        if not snat[word]:
            failed += 1
            print("the capture shows no " + word)
        spoilt = json.loads(json.dumps(report))
        spoilt["snat"]["vips"][0][word] += 1
        spoilt["snat"][word] += 1
        if run(case, flows, spoilt)[0] != 1:
            failed += 1
            print("not seen: one too many of " + word)
    status, text = run(case, flows, report)
    if status != 0:
        failed += 1
        print("a flow log that is right is refused:\n" + text)
    for name in unseen_proof_faults():
        failed += 1
        print("not seen: " + name)
    for name, spoil in REPORT_FAULTS:
        spoilt = json.loads(json.dumps(report))
        spoil(spoilt)
        if run(case, flows, spoilt)[0] != 1:
            failed += 1
            print("not seen: " + name)
    for name, spoil in FAULTS:
        flows = perfect(truths, capture, roles)
        spoil(flows)
        status, text = run(case, flows, report)
        if status != 1 or "DIFFERENCE" not in text:
            failed += 1
            print("not seen: " + name)
    print("comparer: %d faults tried, %d unseen"
          % (len(FAULTS) + len(PROOF_FAULTS) + len(REPORT_FAULTS), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

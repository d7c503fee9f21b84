#!/usr/bin/env python3
"""The comparer itself: it must accept what is right and see each fault.

usage: selftest.py

Plays the part of the program with a flow log written from the truth of lab-rows,
first as it is, then with one thing wrong at a time.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import compare  # noqa: E402

FAKE = """#!/usr/bin/env python3
import shutil, sys
a = sys.argv
shutil.copy(%r, a[a.index("-o") + 1])
shutil.copy(%r, a[a.index("--flows") + 1])
"""


def perfect(truths):
    """A flow log that says what the truth says."""
    flows = []
    for t in truths:
        for n in range(t["count"]):
            f = {k: t[k] for k in ("transport", "src", "dst", "dport", "verdict", "waiver")}
            f.update(application=None if t["speaks"] == "none" else t["speaks"],
                     src_roles=[], dst_roles=[], findings=[], packets=[1, 1],
                     sport=t["sport"] or 40000 + n + len(flows),
                     leg=None if t["leg"] == "*" else t["leg"],
                     rules=t["rules"] or (["edge.1.1"] if t["cited"] else []),
                     state=(t["states"] or [None])[0], basis=t["basis"] or "documented-port")
            f["community_id"] = compare.community_id(f)
            flows.append(f)
    return flows


def report_of(flows):
    return {"findings": [], "summary": {
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
    ("a flow less", lambda fl: fl.pop()),
    ("a flow more", lambda fl: fl.append(dict(fl[0], sport=1, src="192.0.2.200"))),
    ("a flow twice", lambda fl: fl.append(dict(fl[0]))),
    ("a finding", lambda fl: fl[0]["findings"].append("F-00000000")),
]


def main():
    case = os.path.join(HERE, "lab-rows")
    with open(os.path.join(case, "case.json")) as f:
        truths = compare.read_truth(case, json.load(f))
    flows = perfect(truths)
    failed = 0
    status, text = run(case, flows, report_of(flows))
    if status != 0:
        failed += 1
        print("a flow log that is right is refused:\n" + text)
    for name, spoil in FAULTS:
        flows = perfect(truths)
        spoil(flows)
        status, text = run(case, flows, report_of(perfect(truths)))
        if status != 1 or "DIFFERENCE" not in text:
            failed += 1
            print("not seen: " + name)
    print("comparer: %d faults tried, %d unseen" % (len(FAULTS), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

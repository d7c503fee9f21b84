"""Validate what is written and what is shipped against docs/schema.

    validate.py SOURCE_DIR WRITE_SAMPLES MAKE_STATE

The samples must be valid, hold what they claim to hold, and stop being valid
when a field goes, a type changes or an unknown field comes.
"""
import copy
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema

failures = []


def check(ok, text):
    if not ok:
        failures.append(text)


def schema(root, name):
    with open(os.path.join(root, "docs", "schema", name), encoding="utf-8") as f:
        body = json.load(f)
    jsonschema.Draft7Validator.check_schema(body)
    return jsonschema.Draft7Validator(body, format_checker=jsonschema.FormatChecker())


def valid(validator, value, label):
    for error in validator.iter_errors(value):
        failures.append("%s: %s: %s" % (label, list(error.path), error.message[:200]))


def objects(value, path=()):
    """Every object within value, with the way to it."""
    if isinstance(value, dict):
        yield path
        for key, member in value.items():
            yield from objects(member, path + (key,))
    elif isinstance(value, list):
        for i, member in enumerate(value):
            yield from objects(member, path + (i,))


def at(value, path):
    for step in path:
        value = value[step]
    return value


COUNTED = ("malformed", "cut", "noted")  # objects whose keys are event names
OPTIONAL = ("addresses", "distinct", "distinct_estimated")


def trimmed(value):
    """The value with at most two elements in each array: the rest is alike."""
    if isinstance(value, dict):
        return {key: trimmed(member) for key, member in value.items()}
    if isinstance(value, list):
        return [trimmed(member) for member in value[:2]]
    return value


def closed(validator, value, label):
    """Nothing may be missing, and nothing added, anywhere in it."""
    value = trimmed(value)
    for path in objects(value):
        if path and path[-1] in COUNTED:
            continue
        more = copy.deepcopy(value)
        at(more, path)["surprise"] = 1
        check(not validator.is_valid(more), "%s: unknown field passes at %s" % (label, path))
        for key in at(value, path):
            if key in OPTIONAL:
                continue
            less = copy.deepcopy(value)
            del at(less, path)[key]
            check(not validator.is_valid(less),
                  "%s: %s passes without %s" % (label, list(path), key))


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def without_comments(text):
    """JSON input may hold // and /* */ outside strings."""
    return re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m.group(1) or " ", text,
                  flags=re.S)


def shipped(root):
    """Rule files and examples, as far as their schemas are there."""
    def each(folder, name):
        validator = schema(root, name)
        for file in sorted(os.listdir(os.path.join(root, folder))):
            if file.endswith(".json"):
                with open(os.path.join(root, folder, file), encoding="utf-8") as f:
                    valid(validator, json.loads(without_comments(f.read())), file)

    each("rules/lync-server-2013", "rules.schema.json")
    each("docs/examples", "site.schema.json")


def nights(program, validator):
    """The reports that a service leaves."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        reports = {}
        for file in sorted(os.listdir(os.path.join(folder, "reports"))):
            with open(os.path.join(folder, "reports", file), encoding="utf-8") as f:
                reports[file] = json.load(f)
    for file, report in reports.items():
        valid(validator, report, file)
        closed(validator, report, file)
    check(len([f for f in reports if len(f) == len("2026-11-21.json")]) == 4, "four nights")
    for what in (lambda r: r["period"]["gaps"], lambda r: r["previous"],
                 lambda r: r["changes"]["new"], lambda r: r["changes"]["persisting"],
                 lambda r: r["changes"]["resolved"], lambda r: r["period"]["judged_by"],
                 lambda r: {"start", "gap", "drop"} <= {e["kind"] for e in r["period"]["events"]}):
        check(any(what(r) for r in reports.values()), "the nights hold one of each")


def main():
    root, program, make_state = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("report", "flows", "findings")]
        subprocess.run([program] + paths, check=True)
        with open(paths[0], encoding="utf-8") as f:
            report = json.load(f)
        flows, findings = lines(paths[1]), lines(paths[2])

    report_schema = schema(root, "report.schema.json")
    valid(report_schema, report, "report")
    closed(report_schema, report, "report")
    nights(make_state, report_schema)
    flow_schema, finding_schema = schema(root, "flows.schema.json"), schema(root, "findings.schema.json")
    for i, flow in enumerate(flows):
        valid(flow_schema, flow, "flow line %d" % i)
    closed(flow_schema, flows[0], "flow line")
    for i, finding in enumerate(findings):
        valid(finding_schema, finding, "finding line %d" % i)
    closed(finding_schema, findings[0], "finding line")

    # The samples hold what the schemas speak of, and the parts agree.
    total = report["summary"]["flows"]
    check(total["total"] == len(flows), "the flow log has every flow")
    for verdict in set(total) - {"total"}:
        check(total[verdict] == sum(f["verdict"] == verdict for f in flows), verdict)
        check(total[verdict] > 0 or verdict == "waived", "a sample of %s" % verdict)
    ids = {f["id"] for f in report["findings"]}
    for flow in flows:
        check(all(a in ids or ids & set(flow["scans"]) for a in flow["findings"]),
              "the findings of %s are in the report" % flow["community_id"])
    order = ["critical", "high", "medium", "low", "info"]
    keys = [(order.index(f["severity"]), f["id"]) for f in report["findings"]]
    check(keys == sorted(keys), "findings are sorted by severity, then id")
    check(len(ids) == len(report["findings"]), "no id stands twice")
    check(sum(r["flows"] for r in report["matrix"]) == len(flows), "the matrix has every flow")
    check(any("addresses" in (f["initiator"] or {}) for f in report["findings"]),
          "an end of several addresses")

    check(report["edge_addresses"]["undeclared"], "an Edge that nobody declared")
    check({a["seen"] for p in report["edge_addresses"]["pools"] for s in p["services"]
           for a in s["addresses"]} == {0, 1}, "addresses of the Edge, seen and not seen")

    shipped(root)
    for text in failures[:40]:
        print(text)
    return 1 if failures else 0


sys.exit(main())

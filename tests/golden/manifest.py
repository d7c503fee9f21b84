#!/usr/bin/env python3
"""pcaps/MANIFEST is true: every file listed once, with its checksum and sizes.

usage: manifest.py PROJECT

Also: the captures stay within 20 MiB, and the site descriptions of the lab still
follow from the example site.
"""

import filecmp
import hashlib
import os
import sys
import tempfile

LIMIT = 20 << 20


def packets_of(path):
    import wire
    try:
        return sum(1 for _ in wire.read_any(path))
    except ValueError:
        return None  # a format that the lab does not write


def main(project):
    sys.path.insert(0, os.path.join(project, "tests", "lab"))
    import variants
    pcaps = os.path.join(project, "pcaps")
    faults = []
    listed = {}
    with open(os.path.join(pcaps, "MANIFEST")) as f:
        for line in f:
            if line.startswith("#"):
                continue
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 7 or not all(fields):
                faults.append("not seven fields: " + line.strip())
                continue
            if fields[0] in listed:
                faults.append("listed twice: " + fields[0])
            listed[fields[0]] = fields
    there = [n for n in os.listdir(pcaps) if n != "MANIFEST" and not n.endswith(".truth.jsonl")]
    faults += ["not listed: " + n for n in sorted(set(there) - set(listed))]
    total = 0
    for name, fields in sorted(listed.items()):
        path = os.path.join(pcaps, name)
        if not os.path.exists(path):
            faults.append("listed, but not there: " + name)
            continue
        with open(path, "rb") as f:
            data = f.read()
        total += len(data)
        if hashlib.sha256(data).hexdigest() != fields[1]:
            faults.append("%s: its checksum is another" % name)
        if str(len(data)) != fields[2]:
            faults.append("%s: %d bytes, listed %s" % (name, len(data), fields[2]))
        if name.startswith("lab-") and str(packets_of(path)) != fields[3]:
            faults.append("%s: %s packets, listed %s" % (name, packets_of(path), fields[3]))
    if total > LIMIT:
        faults.append("%d bytes of captures, more than %d" % (total, LIMIT))
    with tempfile.TemporaryDirectory() as d:
        variants.main(os.path.join(project, "docs", "examples", "site.json"), d)
        for name in os.listdir(d):
            kept = os.path.join(project, "tests", "lab", name)
            if not os.path.exists(kept) or not filecmp.cmp(os.path.join(d, name), kept, False):
                faults.append("tests/lab/%s does not follow from the example site; "
                              "run tests/lab/variants.py" % name)
    for fault in faults:
        print(fault)
    print("MANIFEST: %d captures, %d bytes, %d faults" % (len(listed), total, len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

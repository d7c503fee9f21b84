#!/usr/bin/env python3
"""docs/link-types.md is true: what it names as a test exists, and no wrapping is left out.

usage: listed.py PROJECT
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
import wrap  # noqa: E402


def tables(page):
    """The rows of the page's tables, each a dictionary by column; names are in backquotes."""
    columns = None
    for line in page.splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if columns is None:
            columns = cells
        elif not set(line) <= set("| -"):
            yield dict(zip(columns, cells))


def names(cell):
    return re.findall("`([^`]+)`", cell)


def main(project):
    with open(os.path.join(project, "docs", "link-types.md")) as f:
        rows = list(tables(f.read()))
    folder = os.path.join(project, "tests", "unit", "decode")
    cases = set()
    for name in ("test_link.c", "test_tunnel.c", "test_ip.c"):
        with open(os.path.join(folder, name)) as f:
            cases.update(re.findall(r'^\t\{ "([^"]+)"', f.read(), re.MULTILINE))
    wrappings = {w.name for w in wrap.WRAPPINGS} | \
        {wrap.fragments_name(*f) for f in wrap.FRAGMENTS}
    faults = []
    listed = set()
    for row in rows:
        faults += ["no such case: " + n for n in names(row["cases"]) if n not in cases]
        faults += ["no such wrapping: " + n for n in names(row["wrappings"])
                   if n not in wrappings]
        listed.update(names(row["wrappings"]))
    faults += ["not listed: " + n for n in sorted(wrappings - listed)]
    if len(rows) < 20:
        faults.append("only %d rows were found in the tables" % len(rows))
    print("".join(f + "\n" for f in faults) +
          "link types: %d rows, %d wrappings, %d faults" % (len(rows), len(wrappings), len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

#!/usr/bin/env python3
"""Compare the #include lines of src/ and include/ with the map of modules.

A module may include its own headers, those of `base`, and those of what its
row names, and so on downwards; a third-party header has one home.
"""
import pathlib
import re
import sys

# What each module builds on, besides base.
MODULES = {
    "base": [],
    "capture": [],
    "decode": [],
    "reasm": ["decode"],
    "app": [],
    "flow": ["reasm", "app", "decode"],
    "json": [],
    "rule": ["json"],
    "site": ["json", "rule"],
    "policy": ["flow", "site", "rule"],
    "snat": ["flow", "app", "site", "policy"],
    "finding": ["policy", "snat"],
    "validity": ["capture", "flow"],
    "report": ["finding", "validity", "json"],
    "evidence": ["finding", "capture"],
    "audit": ["report", "evidence", "snat", "capture"],
    "sys": [],
    "store": ["finding"],
    "keeper": ["audit", "store", "report"],
    "live": ["audit", "keeper", "sys"],
    "cli": ["audit", "keeper", "live", "site", "rule", "report", "sys"],
}

# Public headers that are not named like their module; those of no module are base's.
HEADERS = {"confine": "sys", "post": "sys", "process": "sys", "minutes": "finding", "tally": "audit"}

# Third-party headers and the only modules that may include them; the program's
# --version names libraries, so it may ask them.
HOMES = {
    "pcap": ["capture", "cli/version.c"],
    "json-c": ["json", "cli/version.c"],
    "nettle": ["base", "cli/version.c"],
    "zlib.h": ["capture", "cli/version.c"],
    "zstd.h": ["capture", "cli/version.c"],
    "lz4": ["capture", "cli/version.c"],
    "lzma": ["capture", "cli/version.c"],
    "seccomp.h": ["sys", "cli/version.c"],
    "linux/landlock.h": ["sys"],
    "curses.h": ["live", "cli/version.c"],
    "sqlite3.h": ["store", "cli/version.c"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def closure(module):
    seen = set()
    todo = [module]
    while todo:
        m = todo.pop()
        if m not in seen:
            seen.add(m)
            todo += MODULES[m] + ["base"]
    return seen


def public_homes(root):
    """Which module each public header belongs to: by its name, base for the rest."""
    homes = {}
    for header in (root / "include/lyncaudit").glob("*.h"):
        homes[header.name] = HEADERS.get(header.stem, header.stem)
        if homes[header.name] not in MODULES:
            homes[header.name] = "base"
    return homes


def check_file(path, module, allowed, homes, faults):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        m = INCLUDE.match(line)
        if not m:
            continue
        ours, name = m.group(1) == '"', m.group(2)
        where = f"{path}:{number}: {module} includes {name}"
        if ours and name.startswith("lyncaudit/"):
            home = homes.get(name.split("/", 1)[1])
            if home not in allowed:
                faults.append(f"{where}, which belongs to {home}")
        elif ours:
            if name.split("/")[0] != module:
                faults.append(f"{where}, an inner header of another module")
        else:
            for key, owners in HOMES.items():
                if name.startswith(key):
                    own = f"{module}/{path.name}"
                    if module not in owners and own not in owners:
                        faults.append(f"{where}, whose home is {owners[0]}")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    homes = public_homes(root)
    faults = []
    count = 0
    for folder in sorted((root / "src").iterdir()):
        if folder.name not in MODULES:
            faults.append(f"{folder}: a folder that the map does not know")
            continue
        for path in sorted(folder.glob("*.[ch]")):
            check_file(path, folder.name, closure(folder.name), homes, faults)
            count += 1
    for header in sorted((root / "include/lyncaudit").glob("*.h")):
        module = homes[header.name]
        check_file(header, module, closure(module), homes, faults)
        count += 1
    for fault in faults:
        print(fault)
    print(f"{count} files, {len(faults)} faults")
    return 1 if faults or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

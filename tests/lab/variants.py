"""Write the site descriptions of the lab that differ from the example in one thing.

usage: variants.py docs/examples/site.json tests/lab
"""

import json
import re
import sys


def load(path):
    """JSON with // comments at the start of a line, as the example has them."""
    with open(path) as f:
        return json.loads(re.sub(r"(?m)^\s*//.*$", "", f.read()))


def write(path, site):
    with open(path, "w") as f:
        json.dump(site, f, indent=1)
        f.write("\n")


def main(example, out):
    site = load(example)
    site["name"] = "contoso-hq-dns"
    site["load_balancing"] = {"front-end": "dns", "director": "dns", "mediation": "dns",
                              "edge": "hlb"}
    write(out + "/site-dns.json", site)

    site = load(example)
    site["name"] = "contoso-hq-all"
    del site["features"]
    site["port_overrides"] = [
        {"rule": rule, "ports": "444", "reason": "web conferencing is published on 444"}
        for rule in ("edge.3.6", "internal.4.3")]
    write(out + "/site-all.json", site)


if __name__ == "__main__":
    main(*sys.argv[1:3])

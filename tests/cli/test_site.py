"""Site descriptions and rule files that are wrong: which file, where, what was wanted and found."""
import copy
import json
import os
import shutil

import program
from program import Case, documented, pcap, source, tcp_flow

SITE = {
    "schema": "lyncaudit-site/1", "name": "small", "timezone": "Europe/Paris",
    "networks": {"internal": ["10.0.0.0/8"], "clients": ["10.20.0.0/16"]},
    "hosts": [{"name": "fe01", "roles": {"front-end": ["10.2.0.11"]}},
              {"name": "rp01", "roles": {"reverse-proxy-internal": ["10.1.0.41"]}}],
    "exceptions": [{"id": "EX-1", "from": "front-end", "to": "10.9.0.0/24", "transport": "tcp",
                    "ports": "1433", "reason": "SQL Server", "expires": "2026-11-20"}],
}


def changed(path, value):
    """SITE with one thing replaced (or added), named as in the messages."""
    site = copy.deepcopy(SITE)
    at = site
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return site


HOSTS = ["hosts", 0, "roles", "front-end"]
EXCEPTION = ["exceptions", 0]

# name, the site, what the message must hold
FAULTS = [
    ("unknown field", changed(["feature"], []), ["feature"]),
    ("unknown field of a host", changed(["hosts", 0, "role"], {}), ["hosts[0]", "role"]),
    ("wrong type", changed(["hosts"], {}), ["hosts", "array", "object"]),
    ("wrong type deep inside", changed(HOSTS, "10.2.0.11"),
     ["hosts[0].roles.front-end", "array", "string"]),
    ("missing field", {k: v for k, v in SITE.items() if k != "hosts"}, ["hosts", "missing"]),
    ("bad address", changed(HOSTS, ["10.2.0.999"]),
     ["hosts[0].roles.front-end[0]", "10.2.0.999"]),
    ("network with host bits", changed(HOSTS, ["10.2.0.5/24"]),
     ["hosts[0].roles.front-end[0]", "10.2.0.5/24"]),
    ("an address given twice", changed(["hosts", 1, "roles", "reverse-proxy-internal"],
                                       ["10.2.0.11"]),
     ["10.2.0.11", "fe01", "hosts[1].roles.reverse-proxy-internal[0]"]),
    ("a host name given twice", changed(["hosts", 1, "name"], "fe01"), ["hosts[1].name", "fe01"]),
    ("a role that does not exist", changed(["hosts", 0, "roles", "frontend"], ["10.2.0.12"]),
     ["hosts[0].roles.frontend", "frontend"]),
    ("a derived role cannot be declared", changed(["hosts", 0, "roles", "client"], ["10.2.0.12"]),
     ["hosts[0].roles.client", "client"]),
    ("a malformed date", changed(EXCEPTION + ["expires"], "next summer"),
     ["exceptions[0].expires", "next summer"]),
    ("a date that does not exist", changed(EXCEPTION + ["expires"], "2026-02-30"),
     ["exceptions[0].expires", "2026-02-30"]),
    ("ports that are none", changed(EXCEPTION + ["ports"], "0"), ["exceptions[0].ports", "0"]),
    ("an empty range", changed(EXCEPTION + ["ports"], "90-80"), ["exceptions[0].ports", "90-80"]),
    ("an end that is nothing", changed(EXCEPTION + ["to"], "sql07"),
     ["exceptions[0].to", "sql07"]),
    ("a transport that is none", changed(EXCEPTION + ["transport"], "sctp"),
     ["exceptions[0].transport", "sctp"]),
    ("a time zone that does not exist", changed(["timezone"], "Europe/Atlantis"),
     ["timezone", "Europe/Atlantis"]),
    ("a feature that does not exist", changed(["features"], ["federatoin"]),
     ["features[0]", "federatoin"]),
    ("a load balancing mode that does not exist", changed(["load_balancing"],
                                                          {"front-end": "f5"}),
     ["load_balancing.front-end", "f5"]),
    ("a severity that does not exist", changed(["severities"], {"unexpected-port": "huge"}),
     ["severities.unexpected-port", "huge"]),
    ("an override of a rule that does not exist",
     changed(["port_overrides"], [{"rule": "edge.9.9", "ports": "444", "reason": "r"}]),
     ["port_overrides[0].rule", "edge.9.9"]),
    ("another schema", changed(["schema"], "lyncaudit-site/9"), ["schema", "lyncaudit-site/9"]),
]


EDGE = {"name": "edge01", "roles": {"edge-av": ["198.51.100.23"]}}
BROAD = {"id": "EX-2", "from": "hlb", "to": "edge-av", "transport": "any", "ports": "any",
         "reason": "r"}

# name, the site, the place that the warning names, what it says
ADVICE = [
    ("a VIP whose pool is misspelled",
     changed(["hosts"], [{"name": "fe01", "pool": "north", "roles": {"front-end": ["10.2.0.11"]}},
                         {"name": "lb", "pool": "nroth",
                          "roles": {"hlb": ["10.2.0.2"], "front-end-vip": ["10.2.0.10"]}}]),
     "hosts[1].roles.front-end-vip", "no host of pool \"nroth\" has the role front-end"),
    ("a VIP without members and pools", changed(["hosts", 1, "roles"], {
        "hlb": ["10.2.0.2"], "mediation-vip": ["10.2.0.10"]}),
     "hosts[1].roles.mediation-vip", "no host without a pool has the role mediation"),
    ("everything is internal", changed(["networks", "internal"], ["10.0.0.0/8", "0.0.0.0/0"]),
     "networks.internal[1]", "holds every address"),
    ("a server in none of the networks", changed(["networks", "internal"], ["10.1.0.0/16"]),
     "hosts[0].roles.front-end", "10.2.0.11 of fe01 is in none of networks.internal"),
    ("an Edge node without an inner side", changed(["hosts", 1], EDGE),
     "hosts[1].roles", "edge01 is an Edge node without edge-internal"),
    ("a management store and no front-end",
     changed(["hosts", 0, "roles"], {"central-management": ["10.2.0.11"]}),
     "hosts[0].roles", "fe01 is central-management and no front-end"),
    ("an exception for everything", changed(["exceptions", 0], BROAD),
     "exceptions[0]", "waives every port of both transports from hlb to edge-av"),
    ("an exception for anybody", changed(EXCEPTION + ["from"], "any"),
     "exceptions[0]", "waives what comes from any"),
    ("an exception for the Internet", changed(EXCEPTION + ["from"], "0.0.0.0/0"),
     "exceptions[0]", "waives what comes from 0.0.0.0/0"),
    ("the same exception twice",
     changed(["exceptions"], SITE["exceptions"] + [{**SITE["exceptions"][0], "id": "EX-1b"}]),
     "exceptions[1]", "\"EX-1b\" says what \"EX-1\" says"),
]


class Site(Case):
    def setUp(self):
        super().setUp()
        self.write("ok.pcap", pcap(documented()))

    def small(self, site=None):
        return self.write("site.json", json.dumps(site or SITE))

    def test_faults(self):
        """Each fault: audit and site check end with 2, and say file, place and what was found."""
        for name, site, texts in FAULTS:
            with self.subTest(name):
                self.small(site)
                result = self.audit("-r", "ok.pcap", "-o", "report.json", site="site.json")
                self.fails(result, "site.json", *texts)
                self.assertEqual(result.out, "")
                result = self.run_program("site", "check", "-s", "site.json", "--rules", self.rules)
                self.fails(result, "site.json", *texts)
                self.assertEqual(self.names(), ["ok.pcap", "site.json"])

    def test_sound(self):
        """The site that the faults are made of has none."""
        self.small()
        result = self.audit("-r", "ok.pcap", site="site.json")
        self.assertEqual(result.status, 0, result.err)

    def test_advice(self):
        """What is hardly meant is a warning with its place, in site check alone, and no fault."""
        for name, site, place, text in ADVICE:
            with self.subTest(name):
                self.small(site)
                result = self.run_program("site", "check", "-s", "site.json", "--rules", self.rules)
                self.assertIn(result.status, (0, 1), result.err)
                self.assertEqual([line for line in result.err.splitlines()
                                  if "warning: " in line and place + ": " in line
                                  and text in line], result.err.splitlines())
                self.assertEqual(self.audit("-r", "ok.pcap", site="site.json").err, "")
        for site in SITE, changed(EXCEPTION + ["transport"], "any"), changed(EXCEPTION + ["ports"],
                                                                             "any"):
            self.small(site)
            result = self.run_program("site", "check", "-s", "site.json", "--rules", self.rules)
            self.assertEqual((result.status, result.err), (0, ""))
        result = self.run_program("site", "check", "-s", self.site, "--rules", self.rules)
        self.assertEqual((result.status, result.err), (0, ""))

    def test_syntax(self):
        """A syntax error is told with its line."""
        text = json.dumps(SITE, indent=1).replace('"hosts": [', '"hosts" [', 1)
        line = text[:text.index('"hosts" [')].count("\n") + 1
        self.write("site.json", text)
        self.fails(self.audit("-r", "ok.pcap", site="site.json"), "site.json:%d:" % line)
        self.write("site.json", "")
        self.fails(self.audit("-r", "ok.pcap", site="site.json"), "site.json")
        self.write("site.json", json.dumps(SITE)[:-1])
        self.fails(self.audit("-r", "ok.pcap", site="site.json"), "site.json", "end of the file")

    def test_comments(self):
        self.write("site.json", "// the site\n/* all\nof it */ " + json.dumps(SITE))
        self.assertEqual(self.audit("-r", "ok.pcap", site="site.json").status, 0)
        self.small({**SITE, "x-owner": {"any": ["thing"]}})
        self.assertEqual(self.audit("-r", "ok.pcap", site="site.json").status, 0)

    def test_all_at_once(self):
        """Every fault of site and rules in one run."""
        site = changed(HOSTS, ["10.2.0.999"])
        site["hosts"][1]["roles"]["frontend"] = ["10.2.0.12"]
        site["exceptions"][0]["expires"] = "2026-13-01"
        self.small(site)
        os.mkdir(self.path("rules"))
        result = self.audit("-r", "ok.pcap", site="site.json", rules="rules")
        self.fails(result, "hosts[0].roles.front-end[0]", "hosts[1].roles.frontend",
                   "exceptions[0].expires", "rules")

    def test_control_characters(self):
        """Names come from files: none may drive the terminal that they are printed on."""
        evil = "a\x1b[2J\x07\r\nb\x9b31m"
        site = copy.deepcopy(SITE)
        site["name"] = site["hosts"][0]["name"] = site["exceptions"][0]["id"] = evil
        self.small(site)
        self.write("bad.pcap", pcap(tcp_flow("10.2.0.11", 40000, "10.1.0.41", 4443)))
        results = [self.audit("-r", "bad.pcap", site="site.json"),
                   self.run_program("explain", "-s", "site.json", "--rules", self.rules, "tcp",
                                    "10.2.0.11:40000", "10.1.0.41:4443"),
                   self.run_program("site", "check", "-s", "site.json", "--rules", self.rules),
                   self.run_program("site", "roles", "-s", "site.json", "--rules", self.rules,
                                    "10.2.0.11")]
        site["hosts"][1]["roles"][evil] = []
        self.small(site)
        results.append(self.audit("-r", "bad.pcap", site="site.json"))
        for result in results:
            for text in result.out, result.err:
                self.assertEqual([c for c in text if not c.isprintable() and c != "\n"], [])

    def test_missing(self):
        self.fails(self.audit("-r", "ok.pcap", site="none.json"), "none.json", "No such file")
        self.fails(self.audit("-r", "ok.pcap", rules="none"), "none", "No such file")

    def test_no_site(self):
        """Nothing is audited without a site, whatever else is named."""
        result = self.run_program("audit", "-r", "ok.pcap", "--rules", self.rules, "-o",
                                  "report.json")
        self.fails(result, "no site given")
        self.assertEqual((result.out, self.names()), ("", ["ok.pcap"]))

    def test_expired(self):
        """A date in the past is no fault of the file: it ends the exception."""
        self.small()
        self.write("sql.pcap", pcap(tcp_flow("10.2.0.11", 40000, "10.9.0.10", 1433)))
        self.assertEqual(self.run_program("site", "check", "-s", "site.json", "--rules",
                                          self.rules).status, 0)
        result = self.audit("-r", "sql.pcap", "-o", "report.json", site="site.json")
        self.assertEqual(result.status, 1, result.err)
        types = {f["type"] for f in self.report()["findings"]}
        self.assertLessEqual({"undocumented-path", "exception-expired"}, types)

        self.small(changed(EXCEPTION + ["expires"], "2026-11-21")) # the capture's own day
        result = self.audit("-r", "sql.pcap", "-o", "report.json", site="site.json")
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.report()["summary"]["flows"]["waived"], 1)


class SiteCommands(Case):
    def test_check(self):
        result = self.run_program("site", "check", "-s", self.site, "--rules", self.rules)
        self.assertEqual((result.status, result.err), (0, ""))

    def test_check_constraint(self):
        """A documented constraint that the description breaks is 1, and cites the document."""
        text = self.read(self.site).decode().replace(
            '"snat": ["edge-access-vip", "edge-webconf-vip"]', '"snat": ["edge-av-vip"]')
        self.write("site.json", text)
        result = self.run_program("site", "check", "-s", "site.json", "--rules", self.rules)
        self.assertEqual(result.status, 1, result.err)
        for part in "site-av-snat", "hlb-ext", "edge.p.av-no-snat":
            self.assertIn(part, result.out)

    def test_roles(self):
        result = self.run_program("site", "roles", "-s", self.site, "--rules", self.rules,
                                  "10.2.0.11", "10.20.1.2", "203.0.113.77", "fd00:10:2::11")
        self.assertEqual(result.status, 0, result.err)
        lines = result.out.splitlines()
        self.assertEqual(len(lines), 4)
        for part in "front-end", "mediation", "central-management", "fe01":
            self.assertIn(part, lines[0])
        self.assertIn("client", lines[1])
        self.assertIn("external", lines[2])
        self.assertIn("fe01", lines[3])

    def test_roles_wrong(self):
        arguments = ["site", "roles", "-s", self.site, "--rules", self.rules]
        result = self.run_program(*arguments, "10.2.0.11", "10.2.0.999")
        self.fails(result, "10.2.0.999")
        self.assertIn("fe01", result.out)
        self.fails(self.run_program(*arguments), "address")
        self.fails(self.run_program("site", "roles", "10.2.0.11"), "no site given")
        self.fails(self.run_program("site", "bless", "-s", self.site))


RULE = {"id": "own.1.1", "title": "own row", "from": ["client"], "to": ["front-end"],
        "transport": ["tcp"], "ports": ["443"], "port_of": "responder", "strict": None,
        "application": "https", "feature": None, "required": False,
        "document": {"key": "own", "table": 1, "row": 1}}

RULE_FAULTS = [
    ("unknown field", {"form": ["client"]}, ["rules[0]", "form"]),
    ("wrong type", {"ports": 443}, ["rules[0].ports", "array", "number"]),
    ("unknown role", {"to": ["frontend"]}, ["rules[0].to", "frontend"]),
    ("empty set", {"from": []}, ["rules[0].from"]),
    ("impossible range", {"ports": ["500-400"]}, ["rules[0].ports", "500-400"]),
    ("port out of range", {"ports": ["65536"]}, ["rules[0].ports", "65536"]),
    ("unknown transport", {"transport": ["sctp"]}, ["rules[0].transport", "sctp"]),
    ("unknown feature", {"feature": "telepathy"}, ["rules[0].feature", "telepathy"]),
    ("unknown application", {"application": "gopher"}, ["rules[0].application", "gopher"]),
]


class Rules(Case):
    def own(self, *rules, text=None):
        os.makedirs(self.path("rules"), exist_ok=True)
        self.write("rules/own.json", text if text is not None else json.dumps({
            "schema": "lyncaudit-rules/1",
            "document": {"key": "own", "title": "own rules"}, "rules": list(rules)}))

    def check(self):
        return self.run_program("rules", "check", "rules")

    def test_sound(self):
        """Another rule set is another folder: it is what the audit judges by."""
        self.own(RULE)
        result = self.check()
        self.assertEqual(result.status, 0, result.err)
        self.write("ok.pcap", pcap(documented()))
        result = self.audit("-r", "ok.pcap", "-o", "report.json", rules="rules")
        self.assertEqual(result.status, 0, result.err)
        report = self.report()
        self.assertEqual(report["rules"]["name"], "rules")
        self.assertEqual([(c["rule"], c["flows"]) for c in report["coverage"]], [("own.1.1", 1)])

    def test_faults(self):
        self.write("ok.pcap", pcap(documented()))
        for name, change, texts in RULE_FAULTS:
            with self.subTest(name):
                self.own({**RULE, **change})
                self.fails(self.check(), "own.json", *texts)
                self.fails(self.audit("-r", "ok.pcap", rules="rules"), "own.json", *texts)

    def test_sets(self):
        self.own(RULE, RULE)
        self.fails(self.check(), "own.json", "own.1.1")
        self.own()
        self.fails(self.check(), "rules")
        shutil.rmtree(self.path("rules"))
        os.mkdir(self.path("rules"))
        self.fails(self.check(), "rules")
        self.own(text='{"schema": "lyncaudit-rules/1",\n "rules": [}')
        self.fails(self.check(), "own.json:2:")
        self.fails(self.run_program("rules", "check", "none"), "none", "No such file")

    def test_same_twice(self):
        """A row that says the same as another is a note, not an error."""
        again = {**RULE, "id": "own.1.2", "document": {"key": "own", "table": 1, "row": 2}}
        self.own(RULE, again)
        result = self.check()
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("own.1.2", result.out + result.err)

    def test_shipped(self):
        result = self.run_program("rules", "check", source("rules", "lync-server-2013"))
        self.assertEqual(result.status, 0, result.err)


if __name__ == "__main__":
    program.main()

"""What an audit may say of itself when it saw little, or was told to look at little."""
import json
import os

import program
from program import Case, FRONT_END, documented, pcap, tcp_flow

STRANGERS = tcp_flow("192.0.2.1", 40000, "192.0.2.2", 443)
UNSEEN = {"missing-flow", "exception-unused", "sip-one-way"}


def sip_one_way():
    """edge.4.1: an internal server to the Edge, and never the other way."""
    return tcp_flow(FRONT_END, 41000, "10.1.0.11", 5061)


class Judged(Case):
    def both(self, *args, status):
        """The report, and the summary of the same audit."""
        result = self.audit(*args)
        self.assertEqual(result.status, status, result.out + result.err)
        self.assertEqual(self.audit(*args, "-o", "report.json").status, status)
        return self.report(), result.out

    def limits(self, report, kind="gap"):
        return {l["where"]: l["what"] for l in report["validity"]["limits"] if l["kind"] == kind}

    def not_judged(self, *args, where, says):
        report, summary = self.both(*args, status=3)
        self.assertTrue(summary.startswith("NOTHING WAS JUDGED - "), summary)
        self.assertNotIn("COMPLIANT", summary.split("\n\n")[0])
        self.assertEqual(report["summary"]["verdict"], "incomplete")
        self.assertIs(report["capture"]["complete"], False)
        self.assertIn(says, self.limits(report)[where])

    def test_strangers(self):
        """All flows of addresses that the site does not know."""
        self.write("other.pcap", pcap(STRANGERS))
        self.not_judged("-r", "other.pcap", where="site", says="1 of 1 flows are out of scope")

    def test_header_alone(self):
        self.write("empty.pcap", pcap([]))
        self.not_judged("-r", "empty.pcap", where="empty.pcap", says="holds no packets")

    def test_filter_passes_nothing(self):
        self.write("ok.pcap", pcap(documented()))
        self.not_judged("-r", "ok.pcap", "-f", "udp port 9", where="ok.pcap",
                        says="passed none of its 6 packets")

    def test_one_is_enough(self):
        """Strangers beside a flow that was judged are nothing to speak of."""
        self.write("both.pcap", pcap(STRANGERS + documented()))
        report, summary = self.both("-r", "both.pcap", status=0)
        self.assertTrue(summary.startswith("COMPLIANT"), summary)
        self.assertNotIn("site", self.limits(report))

    def test_findings_win(self):
        """A fault of the site is a finding, and still nothing was judged."""
        with open(self.site, encoding="utf-8") as f:
            text = f.read()
        self.assertIn('"198.51.100.23"', text)
        self.write("site.json", text.replace('"198.51.100.23"', '"192.168.77.23"'))
        self.write("other.pcap", pcap(STRANGERS))
        result = self.audit("-r", "other.pcap", site="site.json")
        self.assertEqual(result.status, 1, result.err)
        self.assertTrue(result.out.startswith("NOTHING WAS JUDGED"), result.out)
        self.assertIn("NON-COMPLIANT", result.out.split("\n\n")[0])

    def one_way(self):
        return [f for f in self.report()["findings"] if f["type"] == "sip-one-way"]

    def test_captures_apart(self):
        """Two minutes that lie a week apart are no audit of a week."""
        week, watched = 7 * 86400, (len(sip_one_way()) - 1) * 2
        self.write("a.pcap", pcap(sip_one_way(), per_second=1))
        self.write("b.pcap", pcap(sip_one_way(), per_second=1, start=program.START + week))
        self.audit("-r", "a.pcap", "-r", "b.pcap", "-o", "report.json")
        self.assertEqual(self.one_way(), [])
        said = self.limits(self.report())["between sources"]
        self.assertIn("1 time, %d s together" % (week - watched // 2), said)
        self.write("b.pcap", pcap(sip_one_way(), per_second=1, start=program.START + 30))
        self.audit("-r", "a.pcap", "-r", "b.pcap", "-o", "report.json")
        self.assertEqual(self.limits(self.report()), {})

    def hour_of(self, frames):
        start = pcap(documented(), start=program.START - 3600)
        self.write("hour.pcap", start + pcap(frames)[24:])
        self.audit("-r", "hour.pcap", "-o", "report.json")
        return self.one_way()

    def test_who_opens(self):
        """The finding names the hosts; a leg that may be a client's shows no server's SIP."""
        found, = self.hour_of(sip_one_way())
        self.assertEqual((found["initiator"]["host"], found["responder"]["host"]),
                         ("fe01", "hlb-int"))
        self.assertIn("in the 60 minutes of this audit", found["what"])
        leg = tcp_flow("10.1.0.2", 42000, "10.1.0.22", 5061, b"\x16\x03\x03\x00\x01\x01" * 20)
        self.assertEqual(self.hour_of(tcp_flow(program.CLIENT, 41000, "10.1.0.11", 5061) + leg), [])

    def test_missing_roles(self):
        """A row about a VIP that the site does without speaks of the servers that it has."""
        self.write("site.json", json.dumps({
            "schema": "lyncaudit-site/1", "name": "one",
            "networks": {"internal": ["10.0.0.0/8"], "clients": ["10.20.0.0/16"]},
            "hosts": [{"name": "edge01", "roles": {
                "edge-access": ["198.51.100.21"], "edge-webconf": ["198.51.100.22"],
                "edge-av": ["198.51.100.23"], "edge-internal": ["10.1.0.21"]}},
                      {"name": "fe01", "roles": {"front-end": [FRONT_END]}}]}))
        self.write("seen.pcap", pcap(tcp_flow("192.0.2.9", 40000, "198.51.100.21", 443)
                                     + tcp_flow("192.0.2.9", 40000, "198.51.100.23", 443)
                                     + tcp_flow(FRONT_END, 40000, "10.1.0.21", 5061)))
        self.audit("-r", "seen.pcap", "-o", "report.json", site="site.json")
        missing = {f["rules"][0]: f["what"] for f in self.report()["findings"]
                   if f["type"] == "missing-flow"}
        self.assertIn("to edge-av, although", missing["edge.3.7"])
        self.assertEqual([what for what in missing.values() if "-vip" in what], [])

    def test_rules_of_ones_own(self):
        """Where no statement forbids it nothing is said of rewriting, and none is cited."""
        name = "lab-session-rewritten.pcapng"
        os.mkdir(self.path("own"))
        for file in os.listdir(self.rules):
            with open(os.path.join(self.rules, file), encoding="utf-8") as f:
                rules = json.load(f)
            rules["rules"] = [r for r in rules["rules"] if r["id"] != "edge.p.av-no-snat"]
            self.write("own/" + file, json.dumps(rules))
        for rules, raised in (self.rules, True), ("own", False):
            result = self.audit("-r", program.source("pcaps", name), "-o", "report.json",
                                rules=rules)
            self.assertEqual(result.status, 1, result.err)
            report = self.report()
            self.assertEqual("av-edge-snat" in {f["type"] for f in report["findings"]}, raised)
            self.assertEqual("edge.p.av-no-snat" in json.dumps(report["findings"]), raised)

    def test_waived_rewriting(self):
        """An exception waives flows; what proves that addresses are rewritten it does not hide."""
        with open(self.site, encoding="utf-8") as f:
            text = f.read()
        broad = {"id": "EX-ANY", "from": "hlb", "to": "edge-av", "transport": "any",
                 "ports": "any", "reason": "all of it"}
        self.write("site.json", text.replace('"exceptions": [',
                                             '"exceptions": [' + json.dumps(broad) + ",", 1))
        for name in "lab-snat", "lab-session-rewritten":
            found = []
            for site in self.site, "site.json":
                self.audit("-r", program.source("pcaps", name + ".pcapng"), "-o", "report.json",
                           site=site)
                found.append({(f["id"], f["severity"], f["flows"])
                              for f in self.report()["findings"] if f["type"] == "av-edge-snat"})
            self.assertGreater(self.report()["summary"]["flows"]["waived"], 0)
            self.assertTrue(found[0])
            self.assertEqual(found[0], found[1])

    def test_filter(self):
        """What a filter may have hidden is not said to be missing."""
        hours = pcap(sip_one_way() + documented() + sip_one_way(), per_second=1)
        self.write("long.pcap", hours[:24] + pcap(documented(), start=program.START - 7200)[24:]
                   + hours[24:])
        whole, summary = self.both("-r", "long.pcap", status=1)
        self.assertEqual({f["type"] for f in whole["findings"]} & UNSEEN, UNSEEN)
        self.assertIn("declared hosts never seen", summary)
        self.assertIn("Edge outside: 0 of 9 declared public IPv4 addresses seen; not seen:",
                      " ".join(summary.split()))
        self.assertNotIn("filter", summary)
        report, summary = self.both("-r", "long.pcap", "-f", "tcp port 5061", status=0)
        self.assertEqual({f["type"] for f in report["findings"]} & UNSEEN, set())
        self.assertIsNone(report["unseen_hosts"])
        self.assertIsNone(report["edge_addresses"])
        self.assertNotIn("never seen", summary)
        self.assertNotIn("Edge outside", summary)
        self.assertIn("of the packets that pass the filter tcp port 5061\n", summary)
        self.assertIn("left out 12 of its 24 packets", self.limits(report)["long.pcap"])

    def test_filter_that_hides_nothing(self):
        self.write("ok.pcap", pcap(documented()))
        report, _ = self.both("-r", "ok.pcap", "-f", "tcp", status=0)
        self.assertIn("missing-flow", {f["type"] for f in report["findings"]})
        self.assertEqual(self.limits(report), {})


if __name__ == "__main__":
    program.main()

"""Commands, options and exit statuses (product.md "Command line")."""
import json
import os
import signal
import subprocess

import program
from program import (ACK, CLIENT, FRONT_END, PROXY, SYN, Case, documented, pcap, source,
                     tcp_flow, tcp_frame, wrong_direction)

# Manual pages, and the commands whose options each of them explains.
PAGES = {"lyncaudit.1": ["audit", "rules", "explain", "site", "report", "history"],
         "lyncaudit-watch.1": ["watch"]}
COMMANDS = [command for commands in PAGES.values() for command in commands]


class Program(Case):
    def test_help(self):
        for option in "--help", "-h":
            result = self.run_program(option)
            self.assertEqual((result.status, result.err), (0, ""))
            for command in COMMANDS:
                self.assertIn("lyncaudit " + command, result.out)
        for command in COMMANDS:
            for option in "--help", "-h":
                result = self.run_program(command, option)
                self.assertEqual((result.status, result.err), (0, ""))
                self.assertTrue(result.out.startswith("usage: lyncaudit " + command))

    def test_readme(self):
        """The commands of its tour do as they stand there; those of a service want one."""
        with open(source("README.md"), encoding="utf-8") as f:
            tour = [line.split()[1:] for line in f if line.startswith("    build/lyncaudit ")]
        done = set()
        for words in tour:
            options = self.run_program(*words[:1], "--help").out
            for word in words:
                self.assertTrue(not word.startswith("-") or word in options, words)
            if words[0] in ("watch", "history", "report"):
                continue
            words = [source(*w.split("/")) if w.startswith(("docs/", "pcaps/")) else w for w in words]
            result = self.run_program(*words)
            self.assertIn(result.status, (0, 1), (words, result.err))
            self.assertEqual(result.err, "", words)
            self.assertNotEqual(result.out, "", words)
            done.add(words[0])
        self.assertEqual(done, {"audit", "rules", "explain", "site"})
        self.assertEqual({words[0] for words in tour} - done, {"watch", "history", "report"})

    def test_manual(self):
        """Every option of the help texts is in the manual page, and no other."""
        for name, commands in PAGES.items():
            with open(source("docs", "man", name)) as f:
                page = f.read()
            in_help = set()
            for command in commands:
                for word in self.run_program(command, "--help").out.replace(",", " ").split():
                    if word.startswith("--"):
                        in_help.add(word.split("=")[0].strip("-:;"))
            in_page = {word.lstrip("-").split("=")[0] for word in page.replace(",", " ").split()
                       if word.startswith("-") and len(word) > 2 and word[1].isalpha()}
            self.assertEqual(in_help - {"help"}, in_page - {
                "width", "compact", "bullet", "literal", "offset", "column", "tag", "version",
                "help"}, name)

    def test_version(self):
        for option in "--version", "-V":
            result = self.run_program(option)
            self.assertEqual((result.status, result.err), (0, ""))
            self.assertTrue(result.out.startswith("lyncaudit "))
            for part in "libpcap", "json-c", "sqlite", "Landlock", "seccomp":
                self.assertIn(part, result.out)

    def test_usage_errors(self):
        self.fails(self.run_program(), "no command")
        self.fails(self.run_program("audti"), "audti")
        for command in COMMANDS:
            result = self.run_program(command, "--no-such-option")
            self.fails(result, "no-such-option", "lyncaudit %s --help" % command)
            self.assertEqual(result.out, "")


class Audit(Case):
    def setUp(self):
        super().setUp()
        self.write("ok.pcap", pcap(documented()))
        self.write("bad.pcap", pcap(wrong_direction()))

    def test_status(self):
        self.assertEqual(self.audit("-r", "ok.pcap").status, 0)
        self.assertEqual(self.audit("-r", "bad.pcap").status, 1)
        self.assertEqual(self.audit("-r", "ok.pcap", "-r", "bad.pcap").status, 1)

    def test_verdict_is_status(self):
        for name, status, verdict in (("ok", 0, "compliant"), ("bad", 1, "non-compliant")):
            self.assertEqual(self.audit("-r", name + ".pcap", "-o", "report.json").status, status)
            self.assertEqual(self.report()["summary"]["verdict"], verdict)

    def test_fail_on(self):
        """The flow is of severity high; the compliant one raises info alone."""
        for severity, status in (("critical", 0), ("high", 1), ("medium", 1), ("low", 1),
                                 ("info", 1)):
            result = self.audit("-r", "bad.pcap", "--fail-on", severity)
            self.assertEqual(result.status, status, severity)
        self.assertEqual(self.audit("-r", "ok.pcap", "--fail-on", "low").status, 0)
        self.assertEqual(self.audit("-r", "ok.pcap", "--fail-on", "info").status, 1)
        self.fails(self.audit("-r", "ok.pcap", "--fail-on", "bad"), "--fail-on", "bad", "critical")

    def test_summary(self):
        result = self.audit("-r", "bad.pcap")
        self.assertEqual(result.err, "")
        for part in "NON-COMPLIANT", "wrong-direction", "fe01", "rp01", "4443", "but for the":
            self.assertIn(part, result.out)
        self.assertIn("COMPLIANT", self.audit("-r", "ok.pcap").out)

    def test_passed_over(self):
        """A file of a folder that is no capture is no source of packets."""
        os.mkdir(self.path("day"))
        for name in "one.pcap", "two.pcap":
            self.write(os.path.join("day", name), pcap(documented()))
        self.write(os.path.join("day", "notes"), b"no capture")
        result = self.audit("-r", "day")
        self.assertIn("from 2 sources (1 other file passed over)", result.out)

    def test_quiet(self):
        result = self.audit("-r", "bad.pcap", "--quiet")
        self.assertEqual((result.status, result.out, result.err), (1, "", ""))
        self.fails(self.audit("-r", "none.pcap", "-q"), "none.pcap")

    def test_report_on_standard_output(self):
        result = self.audit("-r", "bad.pcap", "-o", "-")
        self.assertEqual((result.status, result.err), (1, ""))
        report = json.loads(result.out)
        self.assertEqual(report["schema"], "lyncaudit-report/1")
        self.assertEqual(report["findings"][0]["type"], "wrong-direction")

    def test_report_instead_of_summary(self):
        result = self.audit("-r", "bad.pcap", "-o", "report.json")
        self.assertEqual((result.status, result.out, result.err), (1, "", ""))

    def test_color(self):
        """To a pipe: colour only where it is asked for."""
        for arguments, coloured in (([], False), (["--color=auto"], False), (["--color"], True),
                                    (["--color=always"], True), (["--color=never"], False)):
            result = self.audit("-r", "bad.pcap", *arguments)
            self.assertEqual("\x1b[" in result.out, coloured, arguments)
        result = self.audit("-r", "bad.pcap", "--color=always", "-o", "-")
        self.assertNotIn("\x1b", result.out)
        self.fails(self.audit("-r", "bad.pcap", "--color=red"), "red", "always")

    def test_progress(self):
        """Only where standard error is a terminal, or where it is asked for."""
        self.assertEqual(self.audit("-r", "bad.pcap", "-o", "report.json").err, "")
        self.assertEqual(self.audit("-r", "bad.pcap", "--no-progress", "-o", "report.json").err, "")

    def test_lines(self):
        self.audit("-r", source("pcaps", "lab-violations.pcapng"), "-o", "report.json", "--flows",
                   "flows", "--findings", "found")
        report = self.report()
        flows = [json.loads(line) for line in self.read("flows").splitlines()]
        found = [json.loads(line) for line in self.read("found").splitlines()]
        self.assertEqual(len(flows), report["summary"]["flows"]["total"])
        for verdict in "documented", "wrong-direction", "undocumented-path":
            self.assertEqual(sum(f["verdict"] == verdict for f in flows),
                             report["summary"]["flows"][verdict])
        ids = {f["id"] for f in report["findings"]}
        self.assertGreater(len(found), 0)
        self.assertEqual(len(found), len({f["id"] for f in found}))
        self.assertLessEqual({i for f in flows for i in f["findings"]}, ids)

    def test_strict(self):
        """edge.2.3: any internal address may, the document's list names servers alone."""
        self.write("psom.pcap", pcap(tcp_flow(CLIENT, 40000, "10.1.0.21", 8057)))
        self.assertEqual(self.audit("-r", "psom.pcap").status, 0)
        self.assertEqual(self.audit("-r", "psom.pcap", "--strict").status, 1)

    def test_limits(self):
        for option, value in (("--max-memory", "1KiB"), ("--max-memory", "much"),
                              ("--max-memory", "-1"), ("--max-flows", "0"), ("--max-flows", "x"),
                              ("--max-flows", "-1"), ("--max-flows", "99999999999999999999")):
            self.fails(self.audit("-r", "ok.pcap", option, value), option, value)
        self.assertEqual(self.audit("-r", "ok.pcap", "--max-memory", "64MiB").status, 0)

    def test_evicted(self):
        """One flow at a time: what had to give way is counted, and the answer is incomplete."""
        frames = []
        for port in range(40000, 40008): # opened, and none of them closed
            frames += tcp_flow(CLIENT, port, FRONT_END, 443)[:3]
        self.write("many.pcap", pcap(frames))
        result = self.audit("-r", "many.pcap", "--max-flows", "1", "-o", "report.json")
        self.assertEqual(result.status, 3, result.err)
        capture = self.report()["capture"]
        self.assertGreater(capture["flows_evicted"], 0)
        self.assertIs(capture["complete"], False)

    def test_inspections(self):
        """More payload under way than there is memory for: said as a limit, and still complete."""
        there, frames = [], []
        for number in range(4000):
            ends = CLIENT, 20000 + number, FRONT_END, 443
            there.append(tcp_frame(*ends, SYN, 100, 0))
            frames.append(tcp_frame(*ends, ACK, 101, 901, b"\x16")) # a TLS record's first byte
        self.write("many.pcap", pcap(there + frames))
        for memory, limits in ("16MiB", ["payload inspection"]), ("1GiB", []):
            self.audit("-r", "many.pcap", "--max-memory", memory, "-o", "report.json")
            report = self.report()
            said = [one for one in report["validity"]["limits"] if one["kind"] == "evicted"]
            self.assertEqual([one["where"] for one in said], limits)
            self.assertIs(report["capture"]["complete"], True)
            for one in said[:1]:
                self.assertIn("flows were not listened to", one["what"])
                self.assertGreater(one["share"], 0.5)

    def test_contradictions(self):
        self.fails(self.audit(), "nothing to read")
        self.fails(self.audit("ok.pcap"), "ok.pcap", "-r")
        self.fails(self.audit("-r", "ok.pcap", "--flows", "-"), "standard output")
        for other in "x", "./x", self.path("x"):
            self.fails(self.audit("-r", "ok.pcap", "-o", "x", "--flows", other), "x", "two outputs")
        self.fails(self.audit("-r", "-", "-r", "-", data=pcap(documented())), "-")
        self.assertEqual(self.names(), ["bad.pcap", "ok.pcap"])

    def test_example(self):
        """The README's example: a day with faults in it."""
        result = self.audit("-r", source("pcaps", "lab-day.pcapng"), "-o", "report.json")
        self.assertEqual(result.status, 1, result.err)
        self.assertIs(self.report()["capture"]["complete"], True)


class Rules(Case):
    def rules_command(self, *args):
        return self.run_program("rules", *args, "--rules", self.rules)

    def test_list(self):
        result = self.rules_command("list")
        self.assertEqual((result.status, result.err), (0, ""))
        for part in "edge.3.4", "internal.1.52", "director.1.9", "rproxy.2.3", "edge.p.av-no-snat":
            self.assertIn(part, result.out)

    def test_list_json(self):
        """All 137 rows of the documents' tables, each once; the blank one has no rule."""
        result = self.rules_command("list", "--json")
        self.assertEqual((result.status, result.err), (0, ""))
        entries = json.loads(result.out)
        rows = {e["id"] for e in entries if "table" in e["document"]}
        tables = {"director": [9], "internal": [52, 20, 7, 12], "edge": [11, 8, 8, 6],
                  "rproxy": [2, 3]}
        wanted = {"%s.%d.%d" % (key, t + 1, r + 1) for key, sizes in tables.items()
                  for t, size in enumerate(sizes) for r in range(size)} - {"internal.3.6"}
        self.assertEqual(rows, wanted)
        self.assertEqual(len(rows), 137)
        self.assertEqual(len(entries), len({e["id"] for e in entries}))

    def test_nobody_reads(self):
        """Who stops reading ends it like any filter, whatever the caller ignores: no message."""
        for words in ["list"], ["list", "--json"]:
            read, write = os.pipe()
            os.close(read)
            done = subprocess.run([program.PROGRAM, "rules", *words, "--rules", self.rules],
                                  stdout=write, stderr=subprocess.PIPE, restore_signals=False)
            os.close(write)
            self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))

    def test_counts(self):
        rule = {"id": "a.1.1", "title": "x", "from": ["any"], "to": ["director"],
                "transport": ["tcp"], "ports": ["any"], "port_of": "responder", "strict": None,
                "application": "tcp", "feature": None, "required": False,
                "document": {"key": "a", "table": 1, "row": 1}}
        self.write("rules.json", json.dumps({"schema": "lyncaudit-rules/1", "rules": [rule],
                                             "document": {"key": "a", "title": "A"}}))
        result = self.run_program("rules", "check", "rules.json")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(result.out, "rules.json: 1 port rule and 0 statements, no error\n")

    def test_show(self):
        result = self.rules_command("show", "edge.3.4")
        self.assertEqual((result.status, result.err), (0, ""))
        for part in "edge-access-vip", "tcp 5061", "federation", "table 3", "row 4":
            self.assertIn(part, result.out)
        entry = json.loads(self.rules_command("show", "--json", "edge.3.4").out)
        self.assertEqual((entry["id"], entry["ports"]), ("edge.3.4", ["5061"]))

    def test_wrong(self):
        self.fails(self.rules_command("show", "edge.9.9"), "edge.9.9")
        self.fails(self.rules_command("show"), "show")
        self.fails(self.rules_command("burn"), "list")
        self.fails(self.run_program("rules", "list", "--rules", "none"), "none")


class Explain(Case):
    def explain(self, *args):
        return self.run_program("explain", "-s", self.site, "--rules", self.rules, *args)

    def test_documented(self):
        result = self.explain("tcp", CLIENT + ":50123", FRONT_END + ":5061")
        self.assertEqual((result.status, result.err), (0, ""))
        for part in "documented", "internal.1.3", "client", "front-end", "fe01":
            self.assertIn(part, result.out)

    def test_not_documented(self):
        result = self.explain("tcp", FRONT_END + ":50123", PROXY + ":4443")
        self.assertEqual((result.status, result.err), (1, ""))
        for part in "wrong-direction", "4443", "but for the direction", "why:", "fix:":
            self.assertIn(part, result.out)

    def test_same_as_audit(self):
        """What explain says of a flow is what the audit says of its packets."""
        for src, dst, port in ((CLIENT, FRONT_END, 5061), (FRONT_END, PROXY, 4443),
                               (CLIENT, FRONT_END, 5060), (FRONT_END, "10.2.1.20", 1433),
                               (CLIENT, "203.0.113.99", 443), ("203.0.113.99", FRONT_END, 5061)):
            said = self.explain("tcp", src + ":40000", "%s:%d" % (dst, port)).out
            self.write("one.pcap", pcap(tcp_flow(src, 40000, dst, port)))
            self.audit("-r", "one.pcap", "-o", "report.json", "--flows", "flows")
            verdict = json.loads(self.read("flows"))["verdict"]
            self.assertIn("verdict    " + verdict, said)

    def test_other_answers(self):
        result = self.explain("tcp", FRONT_END + ":50123", "10.2.1.20:1433")
        self.assertEqual(result.status, 0)
        self.assertIn("waived", result.out)
        self.assertIn("EX-10", result.out)
        result = self.explain("tcp", CLIENT + ":50123", "203.0.113.99:443")
        self.assertEqual(result.status, 0)
        self.assertIn("out-of-scope", result.out)
        result = self.explain("tcp", "[fd00:10:20::5]:50123", "[fd00:10:2::11]:5061")
        self.assertEqual(result.status, 0, result.err)

    def test_exception_by_date(self):
        """EX-21 ends on 2026-06-30, last day included; EX-20 in 2028."""
        ends = ["tcp", FRONT_END + ":50000", "10.9.0.20:10051"]
        result = self.explain("--at", "2026-06-30", *ends)
        self.assertEqual((result.status, result.err), (0, ""))
        for part in "date       2026-06-30", "waived", "EX-21", "last day 2026-06-30":
            self.assertIn(part, result.out)
        for arguments in ["--at", "2026-07-01"], []: # today is behind it, whenever this runs
            result = self.explain(*arguments, *ends)
            self.assertEqual((result.status, result.err), (1, ""))
            self.assertIn("verdict    undocumented-path", result.out)
            self.assertIn("EX-21", result.out)
            self.assertIn("ended on 2026-06-30", result.out)
        for date in "2026-02-30", "tomorrow", "":
            self.fails(self.explain("--at", date, *ends), "--at", "2027-06-30")

    def test_strict(self):
        ends = ["tcp", CLIENT + ":50123", "10.1.0.21:8057"]
        self.assertEqual(self.explain(*ends).status, 0)
        self.assertEqual(self.explain("--strict", *ends).status, 1)

    def test_wrong(self):
        self.fails(self.explain("sctp", CLIENT + ":1", FRONT_END + ":2"), "sctp", "tcp")
        self.fails(self.explain("tcp", CLIENT, FRONT_END + ":2"), CLIENT, "ADDRESS:PORT")
        self.fails(self.explain("tcp", CLIENT + ":0", FRONT_END + ":2"), CLIENT + ":0")
        self.fails(self.explain("tcp", CLIENT + ":65536", FRONT_END + ":2"), "65536")
        self.fails(self.explain("tcp", CLIENT + ":1", "[fd00:10:2::11]:5061"), "two families")
        self.fails(self.explain("tcp", CLIENT + ":1"), "wanted")
        self.fails(self.run_program("explain", "tcp", CLIENT + ":1", FRONT_END + ":2"), "no site")


if __name__ == "__main__":
    program.main()

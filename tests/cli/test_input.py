"""Captures that are not what they should be, and what each gets."""
import os
import shutil
import struct
import unittest

import program
from program import Case, documented, pcap, source, wrong_direction


def as_nobody():
    """A command that runs another without rights, or None where there is no way."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return None
    return [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


class Input(Case):
    def test_missing(self):
        self.fails(self.audit("-r", "none.pcap", "-o", "report.json"), "none.pcap",
                   "No such file")
        self.assertEqual(self.names(), [])

    def test_unreadable(self):
        wrap = as_nobody()
        if wrap is None or self.run_program("--version", wrap=wrap).status != 0:
            self.skipTest("root can read everything, and setpriv cannot start %s as nobody"
                          % program.PROGRAM)
        os.chmod(self.write("secret.pcap", pcap(documented())), 0)
        os.chmod(self.dir, 0o777)
        self.fails(self.audit("-r", "secret.pcap", wrap=wrap), "secret.pcap", "Permission denied")
        os.chmod(self.write("site.json", "{}"), 0)
        self.fails(self.audit("-r", "secret.pcap", site="site.json", wrap=wrap), "site.json",
                   "Permission denied")

    def test_empty(self):
        self.write("empty.pcap", b"")
        self.fails(self.audit("-r", "empty.pcap", "-o", "report.json"), "empty.pcap", "empty")
        self.assertEqual(self.names(), ["empty.pcap"])

    def test_no_capture(self):
        self.write("text.pcap", b"no capture at all\n" * 20)
        self.fails(self.audit("-r", "text.pcap", "-o", "report.json"), "text.pcap",
                   "pcap or pcapng")
        self.fails(self.audit("-r", "-", data=b"no capture at all\n" * 20), "pcap or pcapng")
        self.fails(self.audit("-r", "-", data=b""), "empty")

    def test_cut_header(self):
        self.write("cut.pcap", pcap([])[:20])
        self.fails(self.audit("-r", "cut.pcap"), "cut.pcap", "24 bytes", "20")

    def test_truncated(self):
        """Incomplete evidence is 3; with a finding in what was whole, 1."""
        self.write("fine.pcap", pcap(documented())[:-10])
        result = self.audit("-r", "fine.pcap", "-o", "report.json")
        self.assertEqual(result.status, 3, result.err)
        report = self.report()
        self.assertIs(report["capture"]["complete"], False)
        self.assertIs(report["capture"]["sources"][0]["truncated"], True)
        self.assertEqual(report["capture"]["packets"], len(documented()) - 1)
        self.assertEqual(report["summary"]["verdict"], "incomplete")

        self.write("bad.pcap", pcap(wrong_direction())[:-10])
        result = self.audit("-r", "bad.pcap", "-o", "report.json")
        self.assertEqual(result.status, 1, result.err)
        self.assertIs(self.report()["capture"]["complete"], False)
        self.assertEqual(self.report()["summary"]["verdict"], "non-compliant")

    def test_unknown_link(self):
        """What cannot be decoded is counted and named, and the rest is judged."""
        self.write("usb.pcap", pcap(documented(), link=249))
        self.write("bad.pcap", pcap(wrong_direction()))
        result = self.audit("-r", "usb.pcap", "-r", "bad.pcap", "-o", "report.json")
        self.assertEqual(result.status, 1, result.err)
        capture = self.report()["capture"]
        self.assertEqual(capture["sources"][0]["link_types"], ["USBPCAP"])
        self.assertEqual(capture["not_ip"], len(documented()))
        self.assertEqual(capture["packets"], len(documented()) + len(wrong_direction()))
        self.assertEqual(self.report()["summary"]["flows"]["total"], 1)

    def limits(self, kind):
        return {limit["where"]: limit for limit in self.report()["validity"]["limits"]
                if limit["kind"] == kind}

    def test_unread(self):
        """A capture that could not be read at all is no proof of anything, and says so."""
        macsec = [frame[:12] + b"\x88\xe5" + frame[14:] for frame in wrong_direction()]
        ethernet_as_ip = pcap(wrong_direction(), link=101)
        for name, data, said in (("wifi.pcap", pcap(wrong_direction(), link=127), "link type"),
                                 ("macsec.pcap", pcap(macsec), "MACsec"),
                                 ("raw.pcap", ethernet_as_ip, "malformed")):
            self.write(name, data)
            result = self.audit("-r", name, "-o", "report.json")
            self.assertEqual(result.status, 3, result.err)
            limit = self.limits("unread")[name]
            self.assertEqual(limit["share"], 1.0)
            self.assertIn("%d packets" % len(macsec), limit["what"])
            self.assertIn(said, limit["what"])
        self.write("good.pcap", pcap(documented()))
        self.assertEqual(self.audit("-r", "good.pcap", "-o", "report.json").status, 0)
        self.assertEqual(self.limits("unread"), {})

    def test_group_frames(self):
        """A broadcast plays no role; a connection is none, whatever MAC its frames go to."""
        group = bytes.fromhex("03bf0a010029")
        for n in range(len(wrong_direction())):
            frames = wrong_direction()
            frames[n] = group + frames[n][6:]
            self.write("group.pcap", pcap(frames))
            self.audit("-r", "group.pcap", "-o", "report.json")
            self.assertEqual(self.report()["summary"]["flows"]["wrong-direction"], 1, n)
        there, back = (program.datagram(*ends, b"x" * 40) for ends in (
            (program.FRONT_END, 138, program.CLIENT, 138),
            (program.CLIENT, 138, program.FRONT_END, 138)))
        for frames, scope in ([group + there[6:]], 1), ([group + there[6:], back], 0):
            self.write("group.pcap", pcap(frames))
            self.audit("-r", "group.pcap", "-o", "report.json")
            self.assertEqual(self.report()["summary"]["flows"]["out-of-scope"], scope)

    def test_no_flows(self):
        """A capture of IPsec alone, in which nothing can be judged."""
        frame = bytearray(documented()[0])
        frame[14 + 9] = 50
        self.write("esp.pcap", pcap([bytes(frame)] * 9))
        self.assertEqual(self.audit("-r", "esp.pcap", "-o", "report.json").status, 3)
        self.assertEqual(self.report()["capture"]["not_tcp_udp"], 9)
        self.assertIn("None of the 9 packets", self.limits("gap")["flow table"]["what"])
        self.write("good.pcap", pcap(documented()))
        self.audit("-r", "good.pcap", "-o", "report.json")
        self.assertEqual(self.limits("gap"), {})

    def test_no_packets(self):
        """A sensor that captured nothing is named; a file that is no capture never was one."""
        self.write("none.pcap", pcap([]))
        self.write("good.pcap", pcap(documented()))
        self.assertEqual(self.audit("-r", "none.pcap", "-r", "good.pcap", "-o", "report.json")
                         .status, 0)
        gaps = self.limits("gap")
        self.assertEqual(list(gaps), ["none.pcap"])
        self.assertIn("no packets", gaps["none.pcap"]["what"])
        self.audit("-r", "good.pcap", "-f", "udp", "-o", "report.json")
        self.assertIn("none of its %d packets" % len(documented()),
                      self.limits("gap")["good.pcap"]["what"])

    def test_directory(self):
        """What is no capture in a directory is listed with the reason and skipped."""
        os.mkdir(self.path("ring"))
        self.write("ring/2.pcap", pcap(documented(), start=program.START + 60))
        self.write("ring/1.pcap", pcap(wrong_direction()))
        self.write("ring/notes.txt", "not a capture\n")
        self.write("ring/zero", b"")
        result = self.audit("-r", "ring", "-o", "report.json")
        self.assertEqual(result.status, 1, result.err)
        sources = {os.path.basename(s["name"]): s for s in self.report()["capture"]["sources"]}
        self.assertEqual(sorted(sources), ["1.pcap", "2.pcap", "notes.txt", "zero"])
        self.assertIsNone(sources["1.pcap"]["error"])
        self.assertIn("pcap", sources["notes.txt"]["error"])
        self.assertIn("empty", sources["zero"]["error"])
        self.assertEqual(self.report()["summary"]["flows"]["total"], 2)

    def test_directory_without_captures(self):
        os.mkdir(self.path("ring"))
        self.fails(self.audit("-r", "ring"), "ring")
        self.write("ring/notes.txt", "not a capture\n")
        self.fails(self.audit("-r", "ring"), "ring")

    def test_standard_input(self):
        """The same packets give the same answer, from a file or from a pipe."""
        self.write("bad.pcap", pcap(wrong_direction()))
        self.assertEqual(self.audit("-r", "bad.pcap", "-o", "file.json").status, 1)
        self.assertEqual(self.audit("-r", "-", "-o", "pipe.json",
                                    data=pcap(wrong_direction())).status, 1)
        file, pipe = self.report("file.json"), self.report("pipe.json")
        self.assertEqual(file["summary"], pipe["summary"])
        self.assertEqual([f["id"] for f in file["findings"]], [f["id"] for f in pipe["findings"]])
        self.assertEqual(pipe["capture"]["sources"][0]["kind"], "stdin")

    def test_filter(self):
        capture = source("pcaps", "lab-violations.pcapng")
        self.fails(self.audit("-r", capture, "-f", "prot 443"), "prot 443")
        self.audit("-r", capture, "-o", "all.json")
        self.audit("-r", capture, "-f", "udp", "-o", "udp.json")
        everything, some = self.report("all.json"), self.report("udp.json")
        self.assertGreater(some["summary"]["flows"]["total"], 0)
        self.assertLess(some["summary"]["flows"]["total"], everything["summary"]["flows"]["total"])
        self.assertEqual({s["transport"] for f in some["findings"] for s in f["samples"]},
                         {"udp"})

    def test_time_offset(self):
        self.write("bad.pcap", pcap(wrong_direction()))
        self.audit("-r", "bad.pcap", "-o", "report.json", "--time-offset", "bad.pcap=3600.5")
        report = self.report()
        self.assertTrue(report["capture"]["first"].startswith("2026-11-21T13:00:00.500"))
        self.assertEqual(report["capture"]["sources"][0]["time_offset"], 3600.5)
        self.fails(self.audit("-r", "bad.pcap", "--time-offset", "other.pcap=1"), "other.pcap")
        self.fails(self.audit("-r", "bad.pcap", "--time-offset", "bad.pcap=soon"), "soon")
        self.fails(self.audit("-r", "bad.pcap", "--time-offset", "bad.pcap"), "FILE=SECONDS")


class LittleMemory(Case):
    """What had to be let go is counted and named, each where it hurts."""

    def limit(self, frames, where):
        self.write("many.pcap", pcap(frames, per_second=10000))
        self.audit("-r", "many.pcap", "-o", "report.json", "--max-memory", "16MiB")
        found = [l for l in self.report()["validity"]["limits"] if l["where"] == where]
        self.assertEqual([l["kind"] for l in found], ["evicted"])
        return int(found[0]["what"].split()[0])

    def test_payload(self):
        """Connections whose client has said half of what it has to say."""
        half = bytes.fromhex("16030300c8010000c40303") + bytes(32)
        frames = []
        for port in range(20000, 22000):
            frames += program.tcp_flow(program.CLIENT, port, program.FRONT_END, 443, half)[:4]
        self.assertLess(self.limit(frames, "payload inspection"), 2000)

    def test_fragments(self):
        frames = [program.datagram("203.0.113.9", 20000 + i, "198.51.100.13", 3478, bytes(64), i, 0x2000)
                  for i in range(4000)]
        self.assertLess(self.limit(frames, "fragments"), 4000)

    def test_legs(self):
        """Requests to the A/V VIP, of which no node ever sees one."""
        frames = [program.datagram("203.0.113.9", 20000 + i, "198.51.100.13", 3478,
                                   struct.pack("!HHIQI", 1, 0, 0x2112a442, i, i), i)
                  for i in range(4000)]
        n = self.limit(frames, "A/V Edge legs")
        self.assertEqual(n, self.report()["snat"]["dropped"])
        self.assertEqual(n + self.report()["snat"]["unpaired"], 4000)


if __name__ == "__main__":
    program.main()

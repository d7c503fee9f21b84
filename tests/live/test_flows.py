"""The flow log of the service: a line for each flow when it ends, wherever packets come from."""
import fcntl
import json
import os
import re
import signal

import live
from program import documented, pcap, source, tcp_flow, wrong_direction
from ring import Ring

PIPE_SIZE = 1031  # F_SETPIPE_SZ


class Flows(Ring):
    LINES = "flows"

    def test_same_as_audit(self):
        """What `audit` writes of the same packets, with one thread and with three."""
        capture = source("pcaps", "lab-day.pcapng")
        result = self.audit("-q", "-r", capture, "--flows", "of-audit")
        self.assertIn(result.status, (0, 1, 3), result.err)
        want = sorted(self.read("of-audit").splitlines())
        self.assertGreater(len(want), 20)
        with open(capture, "rb") as f:
            self.put("a", f.read())
        for threads in "1", "3":
            state, log = "state-" + threads, "flows-" + threads
            self.folder(state)
            service = self.follow("--flows", log, "--threads", threads, state=state)
            service.manager.wait("STATUS=", 10)
            self.wait_read(service)
            service.stop()
            self.assertEqual(sorted(self.read(log).splitlines()), want)
            self.assertEqual(os.stat(self.path(log)).st_mode & 0o777, 0o600)

    def test_over_midnight(self):
        """One flow, one line: all of it, though each night's report counts its share."""
        frames = tcp_flow("10.20.0.5", 50001, "10.2.0.11", 443)
        midnight = 1795215600  # 2026-11-21 00:00 in Paris
        self.put("a", pcap(frames[:3], start=midnight - 60))
        self.put("b", pcap(frames[3:], start=midnight + 60))
        service = self.follow("--flows", "flows")
        self.wait_packets(service, len(frames))
        service.stop()
        found = self.lines()
        self.assertEqual(len(found), 1)
        self.assertEqual(sum(found[0]["packets"]), len(frames))
        self.assertEqual(found[0]["first"][:16], "2026-11-20T22:59")
        self.assertEqual(found[0]["last"][:16], "2026-11-20T23:01")
        flows = [self.report("state/reports/" + name)["summary"]["flows"]["total"]
                 for name in sorted(os.listdir(self.path("state/reports")))
                 if name.startswith(("2026-11-20.", "2026-11-21."))]
        self.assertEqual(flows, [1, 1])

    def test_rotation(self):
        """Renamed, then SIGHUP: what comes later is in the new file, and nothing is lost."""
        service = self.follow("--flows", "flows")
        self.put("a", self.capture(self.flows(4)))
        self.wait_packets(service, self.sent)
        self.put("b", self.capture(self.flows(1)))
        self.second += 7200  # those before are over
        self.put("c", self.capture(self.flows(1)))
        self.wait_lines(5)
        os.rename(self.path("flows"), self.path("flows.1"))
        service.signal(signal.SIGHUP)
        service.wait_said("site and rules were read again")
        self.second += 7200
        self.put("d", self.capture(self.flows(2)))
        self.wait_packets(service, self.sent)
        service.stop()
        before, after = self.lines("flows.1"), self.lines()
        self.assertEqual(len(before) + len(after), 8)
        self.assertFalse({f["sport"] for f in before} & {f["sport"] for f in after})

    def test_without_state(self):
        service = self.start("-i", "a0", "--flows", "flows")
        self.send_frames(documented() + wrong_direction())
        service.stop()
        self.assertEqual({f["verdict"] for f in self.lines()}, {"documented", "wrong-direction"})

    def test_appended(self):
        self.write("flows", "what was there\n")
        service = self.follow("--flows", "flows")
        self.put("a", self.capture(self.flows(1)))
        self.wait_packets(service, self.sent)
        service.stop()
        first, second = self.read("flows").splitlines()
        self.assertEqual(first, b"what was there")
        self.valid("flows", json.loads(second))

    def test_nowhere(self):
        result = self.run_program(*self.watch_args("-i", "a0", "--flows", "no/where"))
        self.fails(result, "no/where", "No such file")

    def test_disk_full(self):
        """It is said how many are lost, no line is cut, and the service goes on."""
        self.small_disk("small", "64k")
        service = self.follow("--flows", "small/flows")
        self.put("a", self.capture(self.flows(300)))
        self.wait_packets(service, self.sent)
        service.stop(seconds=10)
        lost = self.lost(service, "lost")
        self.assertGreater(lost, 0)
        self.assertEqual(len(self.lines("small/flows")) + lost, 300)
        self.assertEqual(self.last()["summary"]["flows"]["total"], 300)

    def lost(self, service, word):
        return sum(1 if n == "a" else int(n) for n in
                   re.findall(r"flows: (a|\d+) flows? (?:is|are) (?:%s|not in it)" % word,
                              service.said()))

    def test_nobody_reads(self):
        """A pipe that nobody empties holds up nothing, and what it had no room for is told."""
        os.mkfifo(self.path("flows"))
        reader = os.open(self.path("flows"), os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        fcntl.fcntl(reader, PIPE_SIZE, 65536)
        service = self.follow("--flows", "flows")
        self.put("a", self.capture(self.flows(2000)))
        self.wait_packets(service, self.sent, seconds=30)
        service.stop(seconds=10)
        there = os.read(reader, 1 << 20)
        lost = self.lost(service, "lost")
        self.assertGreater(lost, 1000)
        self.assertEqual(self.last()["summary"]["flows"]["total"], 2000)
        self.assertGreaterEqual(there.count(b"\n") + lost, 2000)


if __name__ == "__main__":
    live.main()

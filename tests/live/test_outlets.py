"""What is told as it happens: a file of lines, syslog, the hook, numbers."""
import os
import re
import signal
import socket
import time

from live import Live
import live
from program import documented, tcp_flow, wrong_direction


def more_of_it(port):
    """The same finding by another connection."""
    return tcp_flow("10.2.0.11", port, "10.1.0.41", 4443)


class Outlets(Live):
    LINES = "findings"

    def last(self):
        names = sorted(os.listdir(self.path("state/reports")))
        return self.report("state/reports/" + names[-1])

    def program(self, name, text):
        path = self.write(name, "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        os.chmod(self.dir, 0o777)  # where it leaves what it got
        return path


class Findings(Outlets):
    def test_lines(self):
        service = self.start("-i", "a0", "--findings", "findings", "--state", "state")
        self.send_frames(documented() + wrong_direction())
        found = self.wait_lines(1)
        self.assertEqual([f["type"] for f in found], ["wrong-direction"])
        self.assertTrue(re.match(r"F-[0-9a-f]+$", found[0]["id"]))
        self.send_frames(more_of_it(41000))
        time.sleep(0.5)
        service.stop()
        self.assertEqual(len(self.lines()), 1)  # no update within a minute
        self.assertEqual(os.stat(self.path("findings")).st_mode & 0o777, 0o600)

    def test_without_state(self):
        for option, value in ("--findings", "f"), ("--syslog", "local"), ("--hook", "/bin/true"):
            self.fails(self.run_program(*self.watch_args("-i", "a0", option, value)), option,
                       "--state")

    def test_rotation(self):
        """Renamed, then SIGHUP: what comes later is in the new file, and nothing is lost."""
        service = self.start("-i", "a0", "--findings", "findings", "--state", "state")
        self.send_frames(wrong_direction())
        self.wait_lines(1)
        os.rename(self.path("findings"), self.path("findings.1"))
        service.signal(signal.SIGHUP)
        service.wait_said("site and rules were read again")
        self.send_frames(tcp_flow("10.2.0.11", 42000, "10.1.0.41", 22))
        found = self.wait_lines(1)
        service.stop()
        self.assertEqual(len(self.lines("findings.1")), 1)
        self.assertNotEqual(found[0]["id"], self.lines("findings.1")[0]["id"])

    def test_appended(self):
        self.write("findings", "what was there\n")
        service = self.start("-i", "a0", "--findings", "findings", "--state", "state")
        self.send_frames(wrong_direction())
        end = time.monotonic() + 15
        while len(self.read("findings").splitlines()) < 2:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertEqual(self.read("findings").splitlines()[0], b"what was there")
        service.stop()

    def test_nowhere(self):
        result = self.run_program(*self.watch_args("-i", "a0", "--state", "state",
                                                     "--findings", "no/where"))
        self.fails(result, "no/where", "No such file")

    def test_disk_full(self):
        """It is said, and the service goes on."""
        service = self.start("-i", "a0", "--findings", "/dev/full", "--state", "state")
        self.send_frames(wrong_direction())
        service.wait_said("/dev/full: a finding is lost")
        service.stop()
        self.assertIn("wrong-direction", [f["type"] for f in self.last()["findings"]])


class Syslog(Outlets):
    LINE = re.compile(rb"<27>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ lyncaudit (\d+) finding - "
                      rb"new high wrong-direction F-[0-9a-f]+: ")

    def test_udp(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(15)
            service = self.start("-i", "a0", "--syslog",
                                 "udp:127.0.0.1:%d" % server.getsockname()[1], "--state", "state")
            self.send_frames(wrong_direction())
            found = self.LINE.match(server.recv(4096))
            self.assertIsNotNone(found)
            self.assertEqual(int(found.group(1)), service.process.pid)
            service.stop()

    def test_tcp(self):
        """Octet counting, and what was told while nobody answered comes later."""
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]
            service = self.start("-i", "a0", "--syslog", "tcp:127.0.0.1:%d" % port,
                                 "--state", "state")
            self.send_frames(wrong_direction())
            service.wait_said("messages wait")
            server.listen()
            server.settimeout(20)
            peer = server.accept()[0]
            peer.settimeout(15)
            data = b""
            while b" " not in data or len(data) < int(data.split(b" ")[0]) + len(data.split(b" ")[0]) + 1:
                data += peer.recv(4096)
            length, rest = data.split(b" ", 1)
            self.assertEqual(len(rest), int(length))
            self.assertIsNotNone(self.LINE.match(rest), rest)
            service.wait_said("reached again")
            service.stop()
            peer.close()

    def test_silent_server(self):
        """A server that does not answer holds nothing up, and the end neither."""
        live.ip("route", "add", "192.0.2.0/24", "dev", "lo")
        self.addCleanup(live.ip, "route", "del", "192.0.2.0/24")
        service = self.start("-i", "a0", "--syslog", "tcp:192.0.2.9:601", "--state", "state")
        self.send_frames(wrong_direction())
        time.sleep(0.5)
        self.assertLess(service.stop(), 5)
        self.assertEqual(self.last()["capture"]["packets"], len(wrong_direction()))
        self.assertIn("syslog: 1 messages were not sent", service.said())

    def test_usage(self):
        for to in "nobody", "udp:logs.example.com:514", "tcp:192.0.2.9", "udp:192.0.2.9:70000":
            result = self.run_program(*self.watch_args("-i", "a0", "--syslog", to))
            self.fails(result, to, "ADDRESS:PORT")


class Hook(Outlets):
    def test_started(self):
        """As the service's user, without a shell's environment, with the finding to read."""
        hook = self.program("hook", "id -un >who; env >env; cat >got.part; mv got.part got\n")
        service = self.start("-i", "a0", "--hook", hook, "--state", "state", env={"SECRET": "x"})
        self.send_frames(wrong_direction())
        found = self.wait_lines(1, "got")
        self.assertEqual(found[0]["type"], "wrong-direction")
        self.assertEqual(self.read("who").decode().strip(), live.USER)
        self.assertNotIn(b"SECRET", self.read("env"))
        service.stop()

    def test_severity(self):
        hook = self.program("hook", "cat >>got\n")
        service = self.start("-i", "a0", "--hook", hook, "--hook-severity", "critical",
                             "--findings", "findings", "--state", "state")
        self.send_frames(wrong_direction())
        self.wait_lines(1)
        time.sleep(0.5)
        service.stop()
        self.assertNotIn("got", self.names())

    def test_hangs(self):
        """The end does not wait for it, and it does not stay behind."""
        hook = self.program("hook", "echo $$ >pid.part; mv pid.part pid; exec sleep 1000\n")
        service = self.start("-i", "a0", "--hook", hook, "--state", "state")
        self.send_frames(wrong_direction())
        end = time.monotonic() + 15
        while "pid" not in self.names() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertLess(service.stop(), 5)
        pid = int(self.read("pid"))
        live.wait_gone(pid, seconds=2)
        self.assertEqual(self.last()["capture"]["packets"], len(wrong_direction()))

    def test_usage(self):
        result = self.run_program(*self.watch_args("-i", "a0", "--hook", "sh"))
        self.fails(result, "--hook", "slash")
        result = self.run_program(*self.watch_args("-i", "a0", "--hook", "/no/program"))
        self.fails(result, "/no/program", "No such file")


class Metrics(Outlets):
    NUMBER = re.compile(r'(lyncaudit_[a-z_]+)(\{[^}]*\})? ([0-9.]+)$')

    def metrics(self):
        found = {}
        for line in self.read("metrics").decode().splitlines():
            if not line.startswith("#"):
                name, labels, value = self.NUMBER.match(line).groups()
                found[name + (labels or "")] = float(value)
        return found

    def wait_metric(self, name, value, seconds=20):
        end = time.monotonic() + seconds
        while "metrics" not in self.names() or self.metrics().get(name) != value:
            self.assertLess(time.monotonic(), end, self.names())
            time.sleep(0.2)

    def test_numbers(self):
        service = self.start("-i", "a0", "--metrics", "metrics", "--state", "state")
        self.send_frames(documented() + wrong_direction())
        self.wait_metric('lyncaudit_packets_total{source="a0"}',
                         len(documented()) + len(wrong_direction()))
        self.wait_metric('lyncaudit_findings{type="wrong-direction",severity="high"}', 1)
        found = self.metrics()
        self.assertEqual(found['lyncaudit_dropped_packets_total{source="a0"}'], 0)
        self.assertEqual(found["lyncaudit_evicted_flows_total"], 0)
        self.assertEqual(found["lyncaudit_flows_total"], 2)
        self.assertLess(found["lyncaudit_store_lag_seconds"], 20)
        self.assertEqual(found["lyncaudit_store_suspended"], 0)
        self.assertEqual(os.stat(self.path("metrics")).st_mode & 0o777, 0o644)
        service.stop()
        observed = [c for c in self.last()["coverage"] if c["status"] == "observed"]
        self.assertEqual(found['lyncaudit_rules{status="observed"}'], len(observed))
        self.assertGreater(len(observed), 0)

    def test_names(self):
        """Every number has a type and a help, once, as the format wants it."""
        service = self.start("-i", "a0", "--metrics", "metrics")
        self.wait_metric("lyncaudit_open_flows", 0)
        text = self.read("metrics").decode()
        for name in {self.NUMBER.match(line).group(1) for line in text.splitlines()
                     if not line.startswith("#")}:
            for word in "HELP", "TYPE":
                self.assertEqual(len(re.findall(f"^# {word} {name} ", text, re.M)), 1, name)
        service.stop()


if __name__ == "__main__":
    live.main()

"""The service itself: what it leaves, under which rights, and what it says is missing."""
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
import time

import live
from live import Live, ip, wire
from program import documented, source, tcp_flow, wrong_direction

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import carriers  # noqa: E402
import wrap  # noqa: E402
import wire as captures  # noqa: E402

PCAP_HEADER = 24
SANITIZED = os.environ.get("LYNCAUDIT_SANITIZED") == "1"


class Same(Live):
    """The same traffic, live and from a file."""

    def compare(self, *captures, options=()):
        service = self.start("-i", "a0", "-o", "report.json", *options)
        recorder = subprocess.Popen(["tcpdump", "-i", "a0", "-n", "-s", "0", "-U", "--nano",
                                     "--immediate-mode", "-B", "65536",
                                     "-Z", "root", "-w", self.path("recorded.pcap")],
                                    stderr=subprocess.PIPE)
        self.addCleanup(recorder.wait)
        self.addCleanup(recorder.kill)
        self.assertIn(b"listening on", recorder.stderr.readline())
        sent = 0
        size = PCAP_HEADER
        for capture in captures:
            plain = self.plain(capture)
            sent += self.send(plain, "-m", "-r", "4000")["packets"]
            size += os.path.getsize(plain) - PCAP_HEADER
        self.wait_size("recorded.pcap", size)  # on a busy machine it may be late
        service.stop()
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=20)
        offline = self.audit("-r", "recorded.pcap", "-o", "offline.json", "-q")
        self.assertIn(offline.status, (0, 1), offline.err)
        report = self.report()
        self.assertEqual(report["capture"]["packets"], sent)
        self.assertEqual(report["capture"]["sources"][0]["dropped"], 0)
        one, other = (live.times_apart(self.report(name)) for name in ("report.json", "offline.json"))
        self.assertEqual(set(one), set(other))
        for part, value in one.items():
            self.assertEqual(value, other[part], part)
        return report

    def wait_size(self, name, size, seconds=30):
        end = time.monotonic() + seconds
        while os.path.getsize(self.path(name)) < size:
            self.assertLess(time.monotonic(), end, "%s: wanted %d bytes, found %d" % (
                name, size, os.path.getsize(self.path(name))))
            time.sleep(0.05)

    def test_day(self):
        report = self.compare(source("pcaps", "lab-day.pcapng"))
        self.assertEqual(report["summary"]["verdict"], "non-compliant")
        self.assertGreater(len(report["findings"]), 5)

    def test_threads(self):
        """Through any number of buffers and threads, with legs that belong together."""
        for n in "1", "2", "4":
            with self.subTest(threads=n):
                self.compare(source("pcaps", "lab-day.pcapng"), options=("--threads", n))
        self.compare(*(source("pcaps", name + ".pcapng")
                       for name in ("lab-av-rewritten", "lab-turn-sticky", "lab-violations")),
                     options=("--threads", "3"))

    def test_threads_and_carriers(self):
        """What the kernel hashes otherwise than its flow: fragments, two tags, and both."""
        packets = list(captures.read_any(source("pcaps", "lab-day.pcapng")))
        small = [p for p in packets if len(p[1]) < 1400]
        pieces = wrap.fragmented(packets, 64, False)[0]
        for name, some, carry in (("pieces", pieces, carriers.ethernet),
                                  ("tags", small, carriers.qinq),
                                  ("both", pieces, carriers.vlan)):
            path = self.path(name + ".pcap")
            carriers.pcap(path, some, carry=carry)
            with self.subTest(name):
                self.compare(path, options=("--threads", "4"))

    def test_several(self):
        self.compare(*(source("pcaps", name + ".pcapng")
                       for name in ("lab-violations", "lab-av-rewritten", "lab-rows")))


class Rights(Live):
    def test_sensor(self):
        service = self.start("-i", "a0")
        warden, sensor = service.process.pid, service.sensor()
        status = live.status_of(sensor)
        uid = status["Uid"].split()
        self.assertEqual(set(uid), {str(pwd.getpwnam(live.USER).pw_uid)})
        self.assertEqual(status["Groups"].strip(), "")
        self.assertEqual(status["NoNewPrivs"], "1")
        for name in "CapInh", "CapPrm", "CapEff", "CapAmb":
            self.assertEqual(int(status[name], 16), 0, name)
        if not SANITIZED and "seccomp yes" in self.run_program("--version").out:
            self.assertEqual(status["Seccomp"], "2")
        # the warden has no packet socket, and the sensor no socket but these two
        inodes = [self.sockets(pid) for pid in (warden, sensor)]
        with open("/proc/net/packet", encoding="ascii") as f:
            packet = {line.split()[-1] for line in f.read().splitlines()[1:]}
        self.assertEqual(packet & inodes[0], set())
        self.assertEqual(len(packet & inodes[1]), 1)
        service.stop()

    def test_capability_alone(self):
        """Started by an ordinary user who may listen: nobody has that right afterwards."""
        os.chmod(self.dir, 0o777)
        service = self.start("-i", "a0", "-o", "report.json", wrap=(
            "setpriv", "--reuid", live.USER, "--clear-groups", "--inh-caps", "-all,+net_raw",
            "--ambient-caps", "-all,+net_raw", "--bounding-set", "-all,+net_raw"))
        self.send_frames(documented())
        for pid in service.process.pid, service.sensor():
            status = live.status_of(pid)
            for name in "CapInh", "CapPrm", "CapEff", "CapAmb":
                self.assertEqual(int(status[name], 16), 0, (pid, name))
            self.assertEqual(status["NoNewPrivs"], "1")
        time.sleep(0.3)
        service.stop()
        self.assertEqual(self.report()["capture"]["packets"], len(documented()))

    @staticmethod
    def sockets(pid):
        found = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if target.startswith("socket:["):
                found.add(target[8:-1])
        return found


class Missing(Live):
    """What could not be seen is named, and nothing else is missing."""

    def packets(self):
        return self.report()["capture"]["packets"]

    def test_down_and_up(self):
        service = self.start("-i", "a0", "-o", "report.json")
        self.send_frames(documented())
        ip("link", "set", "a0", "down")
        time.sleep(2.2)
        ip("link", "set", "a0", "up")
        service.wait_said("a0: nothing seen from")
        self.send_frames(wrong_direction())
        time.sleep(0.2)
        service.stop()
        report = self.report()
        self.assertEqual(report["capture"]["packets"], len(documented()) + len(wrong_direction()))
        self.assertFalse(report["capture"]["complete"])
        gaps = self.limits("gap")
        self.assertEqual([gap["where"] for gap in gaps], ["a0"])
        self.assertIn("the interface was down", gaps[0]["what"])
        self.assertIn("wrong-direction", [f["type"] for f in report["findings"]])

    def test_removed_and_made_again(self, *options):
        service = self.start("-i", "a0", "-o", "report.json", *options)
        self.send_frames(documented())
        ip("link", "del", "a0")
        time.sleep(2.2)
        wire("a0", "b0")
        service.wait_said("a0: nothing seen from")
        time.sleep(2.2)  # what the one before held is given back
        self.send_frames(wrong_direction())
        time.sleep(0.2)
        service.stop()
        self.assertEqual(self.packets(), len(documented()) + len(wrong_direction()))
        gaps = self.limits("gap")
        self.assertEqual(len(gaps), 1)
        self.assertIn("there was no such interface", gaps[0]["what"])

    def test_removed_under_threads(self):
        """As before, and with all its buffers."""
        service = self.start("-i", "a0", "-o", "report.json", "--threads", "2")
        sent = self.flows(20000)
        self.assertEqual(self.listening("a0"), 2)
        for port in 30000, 40000:
            ip("link", "del", "a0")
            time.sleep(2.2)
            wire("a0", "b0")
            service.wait_said("a0: nothing seen from", times=1 if port == 30000 else 2)
            self.assertEqual(self.listening("a0"), 2)
            sent += self.flows(port)
        time.sleep(2.2)  # what the ones before held is given back
        sent += self.flows(50000)
        service.stop()
        report = self.report()
        self.assertEqual(report["capture"]["packets"], sent)
        self.assertEqual(report["capture"]["sources"][0]["dropped"], 0)
        self.assertEqual(report["summary"]["flows"]["total"], 4 * self.FLOWS)
        self.assertEqual(report["summary"]["verdict"], "incomplete")
        self.assertEqual([g["where"] for g in self.limits("gap")], ["a0", "a0"])
        for gap in self.limits("gap"):
            self.assertIn("there was no such interface", gap["what"])

    FLOWS = 50

    def flows(self, port):
        """Whole connections, both directions of them; how many packets that is."""
        frames = [frame for i in range(self.FLOWS)
                  for frame in tcp_flow("10.20.0.%d" % (1 + i), port + i, "10.2.0.11", 443)]
        self.send_frames(frames)
        time.sleep(0.3)
        return len(frames)

    @staticmethod
    def listening(name):
        """Packet sockets that listen to an interface."""
        with open("/proc/net/packet", encoding="ascii") as f:
            return [line.split()[4] for line in f].count(str(socket.if_nametoindex(name)))

    def test_away_at_the_end(self):
        service = self.start("-i", "a0", "-o", "report.json")
        self.send_frames(documented())
        ip("link", "set", "b0", "down")
        time.sleep(1.5)
        service.stop()
        self.assertIn("no carrier", self.limits("gap")[0]["what"])
        self.assertEqual(self.report()["summary"]["verdict"], "incomplete")

    def test_buffers_full(self):
        self.test_buffer_full("--threads", "3")

    def test_buffer_full(self, *options):
        """A sensor that is held up loses packets; all are either in the report or counted."""
        service = self.start("-i", "a0", "-o", "report.json", "--buffer", "1MiB", *options)
        sensor = service.sensor()
        capture = self.plain(source("pcaps", "lab-day.pcapng"))
        os.kill(sensor, signal.SIGSTOP)
        sent = self.send(capture, "-m", "-n", "60000")["packets"]
        os.kill(sensor, signal.SIGCONT)
        service.wait_said("packets lost from")
        service.stop()
        report = self.report()
        one = report["capture"]["sources"][0]
        self.assertGreater(one["dropped"], 1000)
        self.assertEqual(one["packets"] + one["dropped"], sent)
        self.assertFalse(report["capture"]["complete"])
        drops = self.limits("drops")
        spans = [d["what"] for d in drops if "packets were lost from" in d["what"]]
        self.assertTrue(spans, drops)
        self.assertEqual(sum(int(what.split()[0]) for what in spans), one["dropped"])
        self.assertIn("the kernel's packet buffer was full", spans[0])


class Filtered(Live):
    def test_nobody_counts(self):
        """What the kernel left out: not how much it was, but that it may have been."""
        service = self.start("-i", "a0", "-o", "report.json", "-f", "tcp port 4443")
        self.send_frames(documented() + wrong_direction())
        time.sleep(0.3)
        service.stop()
        report = self.report()
        one = report["capture"]["sources"][0]
        self.assertEqual((one["packets"], one["filtered"], one["filtered_unseen"]),
                         (len(wrong_direction()), 0, True))
        self.assertIn("is not counted", self.limits("gap")[0]["what"])
        self.assertIsNone(report["capture"].get("unseen_hosts"))
        self.assertEqual([f["type"] for f in report["findings"] if f["severity"] != "info"],
                         ["wrong-direction"])


class End(Live):
    def test_silent_wire(self):
        """Nothing here waits for a packet."""
        service = self.start("-i", "a0", "-o", "report.json")
        time.sleep(1.2)
        self.assertLess(service.stop(), 3)
        self.assertEqual(self.report()["capture"]["packets"], 0)

    def test_busy_wire_in_threads(self):
        self.test_busy_wire("--threads", "3")

    def test_busy_wire(self, *options):
        service = self.start("-i", "a0", "-o", "report.json", *options)
        capture = self.plain(source("pcaps", "lab-day.pcapng"))
        sender = subprocess.Popen([live.SEND, "-m", "-r", "20000", "-n", "2000000", "b0", capture],
                                  stdout=subprocess.DEVNULL)
        self.addCleanup(sender.wait)
        self.addCleanup(sender.kill)
        time.sleep(2)
        service.stop()
        self.assertGreater(self.report()["capture"]["packets"], 10000)

    def test_interrupt(self):
        service = self.start("-i", "a0", "-o", "report.json")
        service.signal(signal.SIGINT)
        self.assertEqual(service.process.wait(timeout=10), 0)
        self.assertIn("report.json", self.names())

    def test_sensor_killed(self):
        """It is not alone: the service ends, says so, and leaves no report."""
        service = self.start("-i", "a0", "-o", "report.json")
        os.kill(service.sensor(), signal.SIGKILL)
        self.assertEqual(service.process.wait(timeout=10), 2)
        self.assertIn("the sensor was ended by signal 9", service.said())
        self.assertNotIn("report.json", self.names())

    def test_warden_killed(self):
        service = self.start("-i", "a0")
        sensor = service.sensor()
        service.process.kill()
        service.process.wait()
        for _ in range(100):
            if not os.path.exists(f"/proc/{sensor}"):
                break
            time.sleep(0.05)
        self.assertFalse(os.path.exists(f"/proc/{sensor}"))


class Notify(Live):
    def test_messages(self):
        service = self.start("-i", "a0", watchdog=3000000)
        lines = service.manager.wait("WATCHDOG=1", 5)
        self.assertTrue(any(line.startswith("STATUS=") for line in lines), lines)
        service.signal(signal.SIGTERM)
        service.manager.wait("STOPPING=1", 5)
        self.assertEqual(service.process.wait(timeout=10), 0)


class BadInput(Live):
    def refused(self, *args, texts, wrap=()):
        result = self.run_program(*self.watch_args(*args), wrap=wrap)
        self.fails(result, *texts)

    def test_no_such_interface(self):
        self.refused("-i", "nix9", texts=["nix9", "no such interface", "watch -D"])

    def test_interface_down(self):
        ip("link", "set", "a0", "down")
        self.refused("-i", "a0", texts=["a0", "down", "ip link set a0 up"])

    def test_named_twice(self):
        self.refused("-i", "a0", "-i", "a0", texts=["a0", "named twice"])

    def test_no_permission(self):
        self.refused("-i", "a0", texts=["CAP_NET_RAW", "setcap"],
                     wrap=("setpriv", "--reuid", live.USER, "--clear-groups"))

    def test_no_such_user(self):
        result = self.run_program("watch", "-s", self.site, "--rules", self.rules, "--user",
                                  "nobody-at-all", "-i", "a0")
        self.fails(result, "nobody-at-all", "--user")

    def test_root_is_no_user(self):
        result = self.run_program("watch", "-s", self.site, "--rules", self.rules, "--user",
                                  "root", "-i", "a0")
        self.fails(result, "root")

    def test_bad_site(self):
        self.write("site.json", '{"schema": "lyncaudit-site/1", "hosts": 3}')
        result = self.run_program("watch", "-s", self.path("site.json"), "--rules", self.rules,
                                  "--user", live.USER, "-i", "a0")
        self.fails(result, "site.json", "hosts")

    def test_no_site(self):
        result = self.run_program("watch", "-s", self.path("none.json"), "--rules", self.rules,
                                  "--user", live.USER, "-i", "a0")
        self.fails(result, "none.json", "No such file")

    def test_threads(self):
        self.refused("-i", "a0", "--threads", "17", texts=["--threads", "at most 16"])
        self.refused("-i", "a0", "--threads", "none", texts=["--threads"])

    def test_bad_filter(self):
        self.refused("-i", "a0", "-f", "port port", texts=["port port"])

    def test_report_nowhere(self):
        self.refused("-i", "a0", "-o", "nowhere/report.json", texts=["nowhere/report.json"])

    def test_list(self):
        result = self.run_program("watch", "-D")
        self.assertEqual(result.status, 0, result.err)
        names = [line.split(",")[0].split(":")[0] for line in result.out.splitlines()]
        self.assertIn("a0", names)
        self.assertIn("lo", names)


if __name__ == "__main__":
    live.main()

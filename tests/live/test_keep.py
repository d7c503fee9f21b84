"""The service with a state directory: what is kept, what is left, and what it survives."""
import os
import pwd
import signal
import sqlite3
import subprocess
import time

import live
from live import Live
from program import documented, source, tcp_flow, wrong_direction


class Keep(Live):
    def setUp(self):
        super().setUp()
        user = pwd.getpwnam(live.USER)
        os.mkdir(self.path("state"), 0o700)
        os.chown(self.path("state"), user.pw_uid, user.pw_gid)

    threads = "1"

    def keep(self, *args, **more):
        return self.start("-i", "a0", "--state", "state", "--sensor", "s1", "--threads",
                          self.threads, *args, **more)

    def reports(self):
        folder = self.path("state/reports")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return {name: self.report("state/reports/" + name) for name in names}

    def wait_reports(self, count, seconds=15):
        end = time.monotonic() + seconds
        while len(self.reports()) < count:
            self.assertLess(time.monotonic(), end, self.reports().keys())
            time.sleep(0.1)
        return self.reports()

    def last(self):
        reports = self.reports()
        return max(reports.values(), key=lambda r: r["run"]["finished"])

    def committed(self, packets, seconds=15):
        """Until the store has seen that many packets in its minutes."""
        end = time.monotonic() + seconds
        while True:
            try:
                with sqlite3.connect("file:%s?mode=ro" % self.path("state/store.db"), uri=True) as db:
                    got = db.execute("select coalesce(sum(packets), 0) from minute").fetchone()[0]
            except sqlite3.OperationalError:
                got = -1
            if got >= packets:
                return
            self.assertLess(time.monotonic(), end, got)
            time.sleep(0.2)


class Reports(Keep):
    def test_stop(self):
        service = self.keep()
        self.send_frames(documented() + wrong_direction())
        time.sleep(0.3)
        service.stop()
        report = self.last()
        self.assertEqual(report["sensor"]["name"], "s1")
        self.assertEqual(report["capture"]["packets"], len(documented() + wrong_direction()))
        self.assertEqual([f["type"] for f in report["findings"] if f["flows"] > 0],
                         ["wrong-direction"])
        self.assertIn("non-compliant", service.said())
        for folder, _, files in os.walk(self.path("state")):
            for name in files:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)

    def test_now(self):
        service = self.keep()
        self.send_frames(documented())
        time.sleep(0.3)
        service.signal(signal.SIGUSR1)
        self.wait_reports(1)
        self.assertEqual(self.last()["capture"]["packets"], len(documented()))
        self.send_frames(wrong_direction())
        time.sleep(0.3)
        service.stop()
        self.assertEqual(self.last()["capture"]["packets"],
                         len(documented()) + len(wrong_direction()))

    def test_same_as_file(self):
        """The day of the lab, kept in parts, against the same packets from a file."""
        service = self.keep()
        recorder = subprocess.Popen(["tcpdump", "-i", "a0", "-n", "-s", "0", "-U", "--nano",
                                     "--immediate-mode", "-B", "65536", "-Z", "root",
                                     "-w", self.path("recorded.pcap")], stderr=subprocess.PIPE)
        self.addCleanup(recorder.wait)
        self.addCleanup(recorder.kill)
        self.assertIn(b"listening on", recorder.stderr.readline())
        sent = self.send(self.plain(source("pcaps", "lab-day.pcapng")), "-m", "-r", "400")
        time.sleep(0.5)
        service.stop()
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=20)
        self.assertGreater(sent["seconds"], 4)  # checkpoints came in between
        self.audit("-r", "recorded.pcap", "-o", "offline.json", "-q")
        one, other = live.times_apart(self.last()), live.times_apart(self.report("offline.json"))
        self.assertEqual(self.last()["capture"]["packets"], sent["packets"])
        for part in "findings", "coverage", "matrix", "snat", "counts":
            self.assertEqual(one[part], other[part], part)

    def test_gap_is_named(self):
        service = self.keep()
        live.ip("link", "set", "a0", "down")
        time.sleep(2.2)
        live.ip("link", "set", "a0", "up")
        service.wait_said("a0: nothing seen from")
        service.stop()
        gaps = self.last()["period"]["gaps"]
        self.assertTrue(any(gap["source"] == "a0" for gap in gaps), gaps)
        self.assertFalse(self.last()["capture"]["complete"])


class Reload(Keep):
    def setUp(self):
        super().setUp()
        with open(source("docs", "examples", "site.json"), encoding="utf-8") as f:
            self.text = f.read()
        self.site = self.write("site.json", self.text)

    def test_good(self):
        """A flow before, one after, and one that lives over it."""
        service = self.keep()
        frames = documented()
        self.send_frames(frames + wrong_direction()[:3])
        time.sleep(0.3)
        before = self.text.replace('"severities": {', '"severities": {"wrong-direction": "medium", ', 1)
        if before == self.text:
            before = self.text.rstrip()[:-1].rstrip().rstrip(",") \
                + ', "severities": {"wrong-direction": "medium"}}'
        self.write("site.json", before)
        service.signal(signal.SIGHUP)
        lines = service.manager.wait("RELOADING=1", 5)
        self.assertTrue(any(line.startswith("MONOTONIC_USEC=") for line in lines), lines)
        service.wait_said("site and rules were read again")
        service.manager.wait("READY=1", 5)
        self.send_frames(wrong_direction()[3:])
        time.sleep(0.3)
        service.stop()
        report = self.last()
        findings = [f for f in report["findings"] if f["type"] == "wrong-direction"]
        self.assertEqual([(f["severity"], f["flows"], f["packets"]) for f in findings],
                         [("medium", 1, len(wrong_direction()))])
        self.assertEqual(report["capture"]["packets"], len(frames) + len(wrong_direction()))
        self.assertEqual(report["summary"]["flows"]["total"], 2)

    def test_bad(self):
        service = self.keep()
        self.write("site.json", self.text.replace("198.51.100.21", "198.51.100.999"))
        service.signal(signal.SIGHUP)
        service.wait_said("the site and rules of before stay in force")
        self.assertIn("198.51.100.999", service.said())
        service.manager.wait("READY=1", 5)
        os.unlink(self.site)
        service.signal(signal.SIGHUP)
        service.wait_said("the site and rules of before stay in force", times=2)
        self.send_frames(wrong_direction())
        time.sleep(0.3)
        service.stop()
        self.assertIn("wrong-direction", [f["type"] for f in self.last()["findings"]])

    def test_without_state(self):
        service = self.start("-i", "a0", "-o", "report.json")
        service.signal(signal.SIGHUP)
        service.wait_said("without --state site and rules stay")
        service.signal(signal.SIGUSR1)
        service.wait_said("without --state there is one report")
        service.stop()


class Killed(Keep):
    def test_evidence_stays(self):
        """What was committed is there after a kill, counted once, and the gap is named."""
        service = self.keep()
        self.send_frames(documented())
        self.committed(len(documented()))
        sensor = service.sensor()
        service.process.kill()
        os.kill(sensor, signal.SIGKILL)
        service.kill()
        time.sleep(1)
        service = self.keep()
        self.send_frames(tcp_flow("10.20.0.6", 40001, "10.2.0.11", 443))
        time.sleep(0.3)
        service.stop()
        report = self.last()
        self.assertEqual(report["capture"]["packets"], 2 * len(documented()))
        self.assertEqual(report["summary"]["flows"]["total"], 2)
        whys = [gap["why"] for gap in report["period"]["gaps"]]
        self.assertTrue(any("without notice" in why for why in whys), whys)
        self.assertFalse(report["capture"]["complete"])

    def test_stopped_and_started(self):
        """A flow that goes on meanwhile is another one then, and the report says so."""
        frames = documented()
        service = self.keep()
        self.send_frames(frames[:-2])
        time.sleep(0.3)
        service.stop()
        self.assertFalse(self.restarts())
        time.sleep(1)
        service = self.keep()
        self.send_frames(frames[-2:])
        time.sleep(0.3)
        service.stop()
        whys = [gap["why"] for gap in self.last()["period"]["gaps"]]
        self.assertIn("The sensor was stopped.", whys)
        self.assertEqual(self.last()["capture"]["packets"], len(frames))
        self.assertEqual(self.last()["summary"]["flows"]["total"], 2)
        self.assertEqual(len(self.restarts()), 1)
        self.assertIn("1 time in this period", self.restarts()[0])

    def restarts(self):
        return [limit["what"] for limit in self.last()["validity"]["limits"]
                if "started again" in limit["what"]]

    def test_data_base_damaged(self):
        service = self.keep()
        self.send_frames(documented())
        time.sleep(0.3)
        service.stop()
        for name in "store.db-wal", "store.db-shm":
            if os.path.exists(self.path("state/" + name)):
                os.unlink(self.path("state/" + name))
        with open(self.path("state/store.db"), "r+b") as f:
            f.write(b"\xff" * 4096)
        service = self.keep()
        service.stop()
        names = os.listdir(self.path("state"))
        self.assertEqual(len([n for n in names if n.startswith("store.db") and n not in
                              ("store.db", "store.db-wal", "store.db-shm")]), 1, names)
        self.assertIn("set aside", service.said())


class ReportsInThreads(Reports):
    threads = "4"


class ReloadInThreads(Reload):
    threads = "3"


class KilledInThreads(Killed):
    threads = "2"


class BadState(Keep):
    def refused(self, *texts):
        result = self.run_program(*self.watch_args("-i", "a0", "--state", "state"))
        self.fails(result, *texts)

    def test_owned(self):
        """Another instance holds it: which one, and since when."""
        service = self.keep()
        self.refused("state", str(service.sensor()))
        service.stop()

    def test_not_ours(self):
        os.chown(self.path("state"), 0, 0)
        self.refused("state", "Permission denied")

    def test_no_folder(self):
        os.rmdir(self.path("state"))
        self.write("state", "a file")
        self.refused("state")

    def test_nowhere(self):
        result = self.run_program(*self.watch_args("-i", "a0", "--state", "no/where"))
        self.fails(result, "no/where", "No such file")

    def test_made(self):
        """One that is not there is made, for the user who writes to it."""
        os.rmdir(self.path("state"))
        self.keep().stop()
        self.assertEqual(os.stat(self.path("state")).st_uid, pwd.getpwnam(live.USER).pw_uid)
        self.assertEqual(os.stat(self.path("state")).st_mode & 0o777, 0o700)
        self.assertEqual(len(self.reports()), 1)


if __name__ == "__main__":
    live.main()

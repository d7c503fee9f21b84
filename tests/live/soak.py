#!/usr/bin/env python3
"""soak.py PROGRAM SOURCE SEND SECONDS [THREADS]: a service through whatever may happen to it.

Bursts of traffic of known size, in which flows come and go; between and during them
reloads, reports asked for, an interface that goes down or is made anew, kills of all
processes; and the end of a period in the middle of it (the report time is set to the next
minute but one).

Then: all packets of bursts that nobody was killed in are in the reports or counted as
lost, of the others at most ten seconds' are missing; every gap has its name; memory is
flat.
"""
import datetime
import json
import os
import pwd
import signal
import subprocess
import sys
import time
import zoneinfo

import live
import program
from live import Live, ip
from program import pcap, tcp_flow

RATE = 3000
SECONDS = 75
THREADS = "1"
PAGE = os.sysconf("SC_PAGE_SIZE")
SANITIZED = os.environ.get("LYNCAUDIT_SANITIZED") == "1"


def churn(flows):
    """Connections that come and go, documented and not."""
    frames = []
    for i in range(flows):
        port = 20000 + i % 40000
        if i % 10 == 9:
            frames += tcp_flow("10.2.0.11", port, "10.1.0.41", 4443)
        else:
            frames += tcp_flow("10.20.%d.%d" % (i // 200 % 200, i % 200 + 1), port, "10.2.0.11", 443)
    return [frame.ljust(60, b"\0") for frame in frames]


class Soak(Live):
    def setUp(self):
        super().setUp()
        user = pwd.getpwnam(live.USER)
        os.mkdir(self.path("state"), 0o700)
        os.chown(self.path("state"), user.pw_uid, user.pw_gid)
        zone = zoneinfo.ZoneInfo("Europe/Paris")  # of the example site
        self.midnight = datetime.datetime.now(zone).replace(second=0) + datetime.timedelta(minutes=1)
        if self.midnight - datetime.datetime.now(zone) < datetime.timedelta(seconds=20):
            self.midnight += datetime.timedelta(minutes=1)
        self.capture = self.write("churn.pcap", pcap(churn(1500)))
        self.frames = len(churn(1500))
        self.sent = self.doubtful = self.flaps = self.kills = 0
        self.memory = []

    def begin(self):
        self.service = self.start("-i", "a0", "--state", "state", "--sensor", "soak", "--report-at",
                                  self.midnight.strftime("%H:%M"), "--findings", "findings",
                                  "--metrics", "metrics", "--buffer", "2MiB",
                                  "--flows", "flows", "--evidence", "state/proof.pcapng",
                                  "--threads", THREADS)

    def burst(self, during=None):
        """Three seconds of traffic."""
        sender = subprocess.Popen([live.SEND, "-m", "-r", str(RATE), "-n", str(self.frames), "b0",
                                   self.capture], stdout=subprocess.PIPE)
        if during is not None:
            time.sleep(1.5)
            during()
        done = json.loads(sender.communicate()[0])
        time.sleep(0.3)
        return done["packets"]

    def reload(self):
        self.service.signal(signal.SIGHUP)

    def report_now(self):
        self.service.signal(signal.SIGUSR1)

    def kill_all(self):
        sensor = self.service.sensor()
        os.kill(sensor, signal.SIGKILL)
        self.service.kill()
        self.kills += 1

    def flap(self):
        self.flaps += 1
        ip("link", "set", "a0", "down")
        time.sleep(1.2)
        ip("link", "set", "a0", "up")
        time.sleep(1.2)

    def make_anew(self):
        self.flaps += 1
        ip("link", "del", "a0")
        time.sleep(1.2)
        live.wire("a0", "b0")
        time.sleep(1.2)

    def note_memory(self):
        with open(f"/proc/{self.service.sensor()}/statm", encoding="ascii") as f:
            self.memory.append(int(f.read().split()[1]) * PAGE)

    def reports(self):
        folder = self.path("state/reports")
        return {name: self.report("state/reports/" + name)
                for name in sorted(os.listdir(folder))}

    def last_of_periods(self):
        """The last report of each period: what it says of all of it."""
        last = {}
        for report in self.reports().values():
            begin = report["period"]["from"]
            if begin not in last or last[begin]["run"]["finished"] <= report["run"]["finished"]:
                last[begin] = report
        return list(last.values())

    def test_all(self):
        end = time.monotonic() + SECONDS
        self.begin()
        cycle = 0
        while time.monotonic() < end:
            cycle += 1
            self.sent += self.burst(self.reload if cycle % 2 else self.report_now)
            self.note_memory()
            if cycle % 3 == 1:
                self.flap()
            if cycle % 4 == 2:
                self.make_anew()
            if cycle % 40 == 3:
                time.sleep(6)  # what came before is in a checkpoint
                self.doubtful += self.burst(self.kill_all)
                self.begin()
                self.memory = []
        self.service.stop()
        self.check()

    def check(self):
        periods = self.last_of_periods()
        told = sum(r["capture"]["packets"] for r in periods)
        dropped = sum(s["dropped"] for r in periods for s in r["capture"]["sources"])
        gaps = [gap for r in periods for gap in r["period"]["gaps"]]
        print(f"sent {self.sent}, in bursts with a kill {self.doubtful}, told {told}, dropped "
              f"{dropped}, periods {len(periods)}, gaps {len(gaps)}, flaps {self.flaps}, kills "
              f"{self.kills}, memory {[m >> 20 for m in self.memory]} MiB", file=sys.stderr)
        self.assertGreaterEqual(told + dropped, self.sent)
        self.assertLessEqual(told + dropped, self.sent + self.doubtful)
        self.assertGreaterEqual(told + dropped, self.sent + self.doubtful - self.kills * self.frames)
        self.assertGreaterEqual(len([g for g in gaps if g["source"] == "a0"]), self.flaps)
        self.assertEqual(len([g for g in gaps if "without notice" in g["why"]]), self.kills)
        zone = zoneinfo.ZoneInfo("Europe/Paris")
        if datetime.datetime.now(zone) > self.midnight + datetime.timedelta(seconds=10):
            self.assertEqual(len(periods), 2)
        if SANITIZED:
            print("left out: whether memory is flat; the sanitizer keeps what was freed",
                  file=sys.stderr)
        elif len(self.memory) >= 4:
            half = len(self.memory) // 2
            self.assertLess(max(self.memory[half:]), max(self.memory[:half]) * 1.1 + (16 << 20))
        # Each report has its file of packets, but for one that a kill came between.
        proofs = {name[len("proof-"):-len(".pcapng")]
                  for name in os.listdir(self.path("state")) if name.startswith("proof-")}
        self.assertLessEqual(len({name[:-len(".json")] for name in self.reports()} - proofs),
                             self.kills)
        for line in self.read("flows").splitlines()[:1000]:
            self.valid("flows", json.loads(line))
        for name in self.names():
            self.assertNotIn("core", name)


if __name__ == "__main__":
    if len(sys.argv) > 5:
        THREADS = sys.argv.pop(5)
    if len(sys.argv) > 4:
        SECONDS = int(sys.argv.pop(4))
    live.main()

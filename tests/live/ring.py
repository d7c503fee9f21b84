"""A folder into which a test writes captures, and a service that follows it."""
import datetime
import os
import pwd
import subprocess
import time
import zoneinfo

import live
from live import Live
from program import pcap, tcp_flow


class Ring(Live):
    def setUp(self):
        super().setUp()
        self.folder("ring")
        self.folder("state")
        self.second = self.within_today(600)
        self.port = 20000
        self.sent = 0

    @staticmethod
    def within_today(before):
        """So many seconds ago, but of the night that a service would make a report of now."""
        now = datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Paris"))  # of the example site
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return max(int(now.timestamp()) - before, int(midnight.timestamp()) + 1)

    def folder(self, name):
        """One that the service may write to."""
        user = pwd.getpwnam(live.USER)
        os.mkdir(self.path(name), 0o755)
        os.chown(self.path(name), user.pw_uid, user.pw_gid)

    def small_disk(self, name, size):
        """A folder on a disk of that size."""
        self.folder(name)
        user = pwd.getpwnam(live.USER)
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        "size=%s,uid=%d,mode=755" % (size, user.pw_uid), "none", self.path(name)],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.path(name)], check=True)

    def enlarge(self, name, size):
        subprocess.run(["mount", "-o", "remount,size=" + size, self.path(name)], check=True)

    def follow(self, *args, state="state"):
        return self.start("--follow", "ring", "--state", state, "--sensor", "s", *args)

    def flows(self, n):
        """Whole connections of clients to a front end."""
        frames = []
        for _ in range(n):
            self.port += 1
            frames += tcp_flow("10.20.0.5", self.port, "10.2.0.11", 443)
        return frames

    def capture(self, frames):
        """As pcap; each capture is a second later than the one before."""
        self.second += 1 + len(frames) // 100
        self.sent += len(frames)
        return pcap(frames, start=self.second)

    def put(self, name, data, mode="wb"):
        with open(self.path("ring/" + name), mode) as f:
            f.write(data)

    def wait_packets(self, service, count, seconds=15):
        """Until the status says so."""
        self.wait_status(service, lambda status: status.startswith(f"STATUS={count} packets"),
                         seconds)

    def wait_read(self, service, seconds=15):
        """Until there is something, and then no more for a second."""
        seen = []

        def still(status):
            seen.append(status)
            return not status.startswith("STATUS=0 ") and seen[-2:] == [status] * 2
        self.wait_status(service, still, seconds)

    def wait_status(self, service, good, seconds):
        end = time.monotonic() + seconds
        while True:
            lines = service.manager.wait("STATUS=", 10)
            status = [line for line in lines if line.startswith("STATUS=")][-1]
            if good(status):
                return
            self.assertLess(time.monotonic(), end, (status, service.said()))

    def reports(self):
        folder = self.path("state/reports")
        return [self.report("state/reports/" + name) for name in os.listdir(folder)]

    def last(self):
        return max(self.reports(), key=lambda r: r["run"]["finished"])

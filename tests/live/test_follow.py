"""A folder into which another program writes captures: each packet once, in order, whatever happens."""
import os
import signal
import time

import live
from ring import Ring


class Follow(Ring):
    def told(self):
        """Packets of all periods, each by its last report."""
        last = {}
        for report in sorted(self.reports(), key=lambda r: r["run"]["finished"]):
            last[report["period"]["from"]] = report
        return sum(r["capture"]["packets"] for r in last.values())

    def gap_before_alone(self):
        """Of the day nothing is missing but what was before the first capture."""
        whys = [gap["why"] for gap in self.last()["period"]["gaps"]]
        self.assertEqual(len(whys), 1, whys)
        self.assertIn("was not running", whys[0])

    def test_files_in_order(self):
        """What is there, what grows byte by byte, and what comes later."""
        first, second, third = (self.flows(3) for _ in range(3))
        self.put("x2", self.capture(first))
        time.sleep(0.05)
        service = self.follow()
        self.wait_packets(service, len(first))
        data = self.capture(second)
        for at in range(0, len(data), 100):
            self.put("x1", data[at:at + 100], "ab")
            time.sleep(0.01)
        self.wait_packets(service, len(first) + len(second))
        self.put("x3", self.capture(third))
        self.wait_packets(service, len(first) + len(second) + len(third))
        service.stop()
        report = self.last()
        self.assertEqual(report["capture"]["sources"][0]["kind"], "ring")
        self.assertEqual(self.told(), len(first + second + third))
        self.assertEqual(report["summary"]["flows"]["total"], 9)
        self.gap_before_alone()

    def test_restart(self):
        """It goes on where it stopped, after a stop and after a kill: each packet once."""
        parts = [self.flows(4) for _ in range(4)]
        self.put("a", self.capture(parts[0]))
        service = self.follow()
        self.wait_packets(service, len(parts[0]))
        service.stop()
        self.put("b", self.capture(parts[1]))
        service = self.follow()
        self.wait_packets(service, len(parts[1]))
        self.put("b", self.capture(parts[2])[24:], "ab")
        self.wait_packets(service, len(parts[1]) + len(parts[2]))
        time.sleep(9)  # a checkpoint has it
        sensor = service.sensor()
        os.kill(sensor, signal.SIGKILL)
        service.kill()
        self.put("c", self.capture(parts[3]))
        service = self.follow()
        self.wait_packets(service, len(parts[3]))
        service.stop()
        self.assertEqual(self.told(), sum(len(p) for p in parts))
        self.assertEqual(self.last()["summary"]["flows"]["total"], 16)
        self.gap_before_alone()

    def test_vanished(self):
        """Seen, never read: a name and a time in the report."""
        frames = self.flows(2)
        self.put("a", self.capture(frames))
        self.put("b", self.capture(self.flows(1))[:10])  # too little to be read yet
        service = self.follow()
        self.wait_packets(service, len(frames))
        time.sleep(0.6)
        os.unlink(self.path("ring/b"))
        service.wait_said("b was deleted before it was read")
        service.stop()
        gaps = [gap["why"] for gap in self.last()["period"]["gaps"]]
        self.assertTrue(any("ring/b was deleted before it was read" in why for why in gaps), gaps)

    def test_damaged(self):
        """A file that breaks off, and one that is no capture, are named; the rest is audited."""
        frames = self.flows(2)
        self.put("a", self.capture(frames)[:-7])
        time.sleep(0.02)
        self.put("b", b"not a capture at all, but longer than a header")
        time.sleep(0.02)
        self.put("c", self.capture(frames))
        service = self.follow()
        self.wait_packets(service, 2 * len(frames) - 1)
        service.stop()
        self.assertIn("a breaks off", service.said())
        self.assertIn("b is no capture", service.said())

    def test_written_anew(self):
        """A ring that uses its names again."""
        parts = [self.flows(2) for _ in range(3)]
        service = self.follow()
        total = 0
        for i, part in enumerate(parts):
            self.put("f%d" % (i % 2), self.capture(part))
            total += len(part)
            self.wait_packets(service, total)
        service.stop()
        self.assertEqual(self.told(), total)

    def test_usage(self):
        for args, text in ((("--follow", "ring"), "--state"),
                           (("--follow", "ring", "-i", "a0", "--state", "state"), "not both"),
                           (("--follow", "none", "--state", "state"), "none")):
            self.fails(self.run_program(*self.watch_args(*args)), text)


if __name__ == "__main__":
    live.main()

"""Property: the report is the same with any number of threads, and so is how an audit fails."""
import json
import os
import random

import captures # first: it finds the next one
import program

THREADS = ("1", "2", "3", "8")


class Threads(program.Case):
    def answer(self, threads, *reads):
        """All that an audit tells, but when it ran."""
        arguments = [a for name in reads for a in ("-r", name)]
        result = self.audit(*arguments, "-o", "report.json", "--flows", "flows",
                            "--findings", "findings", "--evidence", "evidence",
                            "--threads", threads)
        self.assertIn(result.status, (0, 1, 3), result.err)
        report = self.report()
        del report["run"]
        return (result.status, json.dumps(report, indent=1), self.read("flows"),
                self.read("findings"), self.read("evidence"))

    def same(self, *reads):
        one = self.answer("1", *reads)
        for threads in THREADS[1:]:
            self.assertEqual(self.answer(threads, *reads), one, (reads, threads))

    def test_shipped(self):
        folder = program.source("pcaps")
        names = sorted(n for n in os.listdir(folder) if ".pcap" in n)
        self.assertGreater(len(names), 10)
        for name in names:
            self.same(os.path.join(folder, name))

    def test_all_at_once(self):
        """Every shipped capture together: flows begin and end in all of them at once."""
        self.same(program.source("pcaps"))

    def test_many_files(self):
        """More files than are held open, each of a few packets."""
        with open(program.source("pcaps", "lab-day.pcapng"), "rb") as f:
            capture = captures.Capture(f.read())
        choice, parts, packets = random.Random(3), 300, capture.sorted()
        dealt = [[] for _ in range(parts)]
        for packet in packets:
            dealt[choice.randrange(parts)].append(packet)
        os.makedirs(self.path("ring"))
        for i, part in enumerate(dealt):
            self.write("ring/%03d.pcapng" % i, capture.file(part))
        self.same("ring")

    def test_failures(self):
        """What stops one thread stops them all: the message and the status are the same."""
        capture = program.source("pcaps", "lab-day.pcapng")
        for threads in THREADS:
            result = self.audit("-r", capture, "-o", "report.json", "--flows", "/dev/full",
                                "--threads", threads)
            self.fails(result, "/dev/full", "No space left on device")
            self.assertEqual(self.names(), [], threads)
        for wrong in ("0", "-1", "two", ""):
            result = self.audit("-r", capture, "--threads", wrong)
            self.fails(result, "--threads", "wanted a number from 1")


if __name__ == "__main__":
    program.main()

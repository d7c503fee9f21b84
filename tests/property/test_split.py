"""Property: the report is the same from one file and from the same packets in ten."""
import json
import os
import random

import captures # first: it finds the next one
import program

PARTS = 10


def in_turn(groups):
    """Packet by packet to the next file: the merge has to weave all ten."""
    parts = [[] for _ in range(PARTS)]
    for i, group in enumerate(groups):
        parts[i % PARTS] += group
    return parts


def in_a_row(groups):
    """A ring of files: each goes on where the one before ended."""
    parts = [[] for _ in range(PARTS)]
    for i, group in enumerate(groups):
        parts[i * PARTS // len(groups)] += group
    return parts


def at_random(groups):
    choice = random.Random(7)
    parts = [[] for _ in range(PARTS)]
    for group in groups:
        parts[choice.randrange(PARTS)] += group
    return parts


def without_packets(value):
    """Where a packet stands in a source is told in many places: never alone."""
    if isinstance(value, list):
        return [without_packets(v) for v in value]
    if not isinstance(value, dict):
        return value
    told = {"source", "packet"} if {"source", "packet"} <= value.keys() else set()
    return {k: without_packets(v) for k, v in value.items() if k not in told}


def without_places(report):
    """All that must be equal: not the run, and not where a packet was found."""
    report = without_packets(report)
    del report["run"]
    report["capture"] = {k: v for k, v in report["capture"].items() if k != "sources"}
    return report


class Split(program.Case):
    def answer(self, *reads, site):
        """The report, the flow log and the exit status."""
        arguments = [a for name in reads for a in ("-r", name)]
        result = self.audit(*arguments, "-o", "report.json", "--flows", "flows", site=site)
        self.assertIn(result.status, (0, 1), result.err)
        report = self.report()
        self.assertEqual(sum(s["packets"] for s in report["capture"]["sources"]),
                         report["capture"]["packets"])
        return without_places(report), self.read("flows").splitlines(), result.status

    def split(self, name, site):
        with open(program.source("pcaps", name), "rb") as f:
            capture = captures.Capture(f.read())
        self.assertEqual(len(capture.resolutions()), 1)
        packets = capture.sorted()
        groups = captures.by_time(packets)
        self.assertGreater(len(groups), 10 * PARTS)
        self.write("one.pcapng", capture.file(packets))
        one = self.answer("one.pcapng", site=site)
        self.assertGreater(one[0]["summary"]["flows"]["total"], PARTS)

        for split in in_turn, in_a_row, at_random:
            names = []
            os.makedirs(self.path(split.__name__))
            for i, part in enumerate(split(groups)):
                names.append("%s/%d.pcapng" % (split.__name__, i))
                self.write(names[-1], capture.file(part))
            for reads in (names, names[::-1], [split.__name__]):
                with self.subTest(capture=name, split=split.__name__, reads=len(reads)):
                    ten = self.answer(*reads, site=site)
                    self.assertEqual(json.dumps(ten[0], indent=1), json.dumps(one[0], indent=1))
                    self.assertEqual(ten[1:], one[1:])

    def test_day(self):
        self.split("lab-day.pcapng", self.site)

    def test_violations(self):
        self.split("lab-violations.pcapng", self.site)

    def test_snat(self):
        self.split("lab-snat.pcapng", self.site)

    def test_again(self):
        """Two runs over the same file differ in the run alone, whatever the hash seeds were."""
        with open(program.source("pcaps", "lab-rows.pcapng"), "rb") as f:
            self.write("rows.pcapng", f.read())
        reports, flows = [], []
        for _ in range(2):
            self.audit("-r", "rows.pcapng", "-o", "report.json", "--flows", "flows")
            report = self.report()
            del report["run"]
            reports.append(json.dumps(report, indent=1))
            flows.append(self.read("flows"))
        self.assertEqual(*reports)
        self.assertEqual(*flows)


if __name__ == "__main__":
    program.main()

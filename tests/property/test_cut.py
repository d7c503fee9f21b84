"""Property: a capture cut after any byte ends in a count or an error.

Never a crash, never half a report: status 2 says why and leaves no report; any
other status leaves a whole one that counts the packets that were whole.
"""
import concurrent.futures
import gzip
import json
import os
import random
import struct
import subprocess

import captures # first: it finds the next one
import program
from program import pcap, wrong_direction


FRAMES = wrong_direction()[:3] # the handshake: enough for a verdict


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def pcapng(frames):
    """The file, and the places where a block ends with the packets up to there."""
    data = block(captures.SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(captures.INTERFACE, struct.pack("<HHI", 1, 0, 65535))
    ends = {len(data): 0}
    for i, frame in enumerate(frames):
        time = program.START * 1000000 + i
        data += block(captures.ENHANCED, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF,
                                                     len(frame), len(frame)) + frame)
        ends[len(data)] = i + 1
    return data, ends


class Cut(program.Case):
    def cut(self, data, length):
        """Audit the first bytes.  The exit status, the report (None: there is none), the message."""
        name = "cut-%d" % length
        self.write(name, data[:length])
        done = subprocess.run([program.PROGRAM, *self.audit_args("-r", name, "-o", name + ".json")],
                              cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, check=False)
        report = None
        if os.path.exists(self.path(name + ".json")):
            with open(self.path(name + ".json"), "rb") as f:
                report = json.load(f)
            os.unlink(self.path(name + ".json"))
        os.unlink(self.path(name))
        return length, done.returncode, report, done.stderr.decode()

    def every(self, data, lengths):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            yield from pool.map(lambda length: self.cut(data, length), lengths)
        self.assertEqual(self.names(), [])

    def check(self, length, status, report, message):
        """What holds of every cut."""
        self.assertIn(status, (0, 1, 2, 3), "after %d bytes: %s" % (length, message))
        self.assertNotIn("Sanitizer", message)
        if status == 2:
            self.assertIsNone(report)
            self.assertIn("cut-%d" % length, message)
            return
        self.assertEqual(report["schema"], "lyncaudit-report/1")
        verdicts = {0: "compliant", 1: "non-compliant", 3: "incomplete"}
        self.assertEqual(report["summary"]["verdict"], verdicts[status])

    def check_all(self, data, header, ends):
        """header: bytes that a capture needs to be one.  ends: whole at these lengths."""
        for length, status, report, message in self.every(data, range(len(data) + 1)):
            self.check(length, status, report, message)
            if length < header:
                self.assertEqual(status, 2, "after %d bytes" % length)
                continue
            self.assertNotEqual(status, 2, "after %d bytes: %s" % (length, message))
            whole = max((n for end, n in ends.items() if end <= length), default=0)
            self.assertEqual(report["capture"]["packets"], whole, "after %d bytes" % length)
            # whole, and something was judged
            self.assertEqual(report["capture"]["complete"], length in ends and whole > 0,
                             "after %d bytes" % length)

    def test_pcap(self):
        ends = {24: 0}
        for i, frame in enumerate(FRAMES):
            ends[max(ends) + 16 + len(frame)] = i + 1
        self.check_all(pcap(FRAMES), 24, ends)

    def test_pcapng(self):
        data, ends = pcapng(FRAMES)
        header = 28 # the section header
        ends[header] = 0
        self.check_all(data, header, ends)

    def test_compressed(self):
        """Cut inside the compressed stream: an error, or fewer packets and incomplete."""
        data = gzip.compress(pcap(FRAMES), mtime=0)
        last = 0
        for length, status, report, message in self.every(data, range(len(data) + 1)):
            self.check(length, status, report, message)
            if status == 2:
                self.assertEqual(last, 0, "after %d bytes" % length)
                continue
            packets = report["capture"]["packets"]
            self.assertGreaterEqual(packets, last)
            last = packets
            self.assertEqual(report["capture"]["complete"], length == len(data))
        self.assertEqual(last, len(FRAMES))

    def test_lab(self):
        """Real captures, at places chosen once and for all."""
        choice = random.Random(11)
        for name in "lab-violations.pcapng", "lab-midstream.pcap", "lab-snat.pcapng":
            with open(program.source("pcaps", name), "rb") as f:
                data = f.read()
            last = -1
            lengths = sorted(choice.sample(range(24, len(data)), 20))
            for length, status, report, message in self.every(data, lengths):
                self.check(length, status, report, message)
                if report is None:
                    continue
                self.assertGreaterEqual(report["capture"]["packets"], last)
                last = report["capture"]["packets"]
                flows = dict(report["summary"]["flows"])
                self.assertEqual(flows.pop("total"), sum(flows.values()))


if __name__ == "__main__":
    program.main()

"""Files of packets that prove the findings of a service, read by a reader of the tests' own."""
import json
import os
import pathlib
import signal
import sys
import time

import live
from program import ACK, SYN, documented, pcap, source, tcp_flow, tcp_frame, wrong_direction
from ring import Ring

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import evidence  # noqa: E402

MIDNIGHT = 1795215600  # 2026-11-21 00:00 in Paris
FE, PROXY = "10.2.0.11", "10.1.0.41"
KEPT = 5  # of `faulty`: all but its last packet, an acknowledgement and nothing else


def faulty(sport):
    """A flow of one and the same finding."""
    return tcp_flow(FE, sport, PROXY, 4443)


class Evidence(Ring):
    def packets(self, name, section=None):
        raw = self.read(name)
        return list(evidence.read_pcapng(raw, {} if section is None else section))

    def section(self, name):
        section = {}
        self.packets(name, section)
        return [c.decode() for c in section[1]]

    def proven(self, name):
        """Finding to the packets that prove it."""
        found = {}
        for p in self.packets(name):
            for comment in p.comments[:-1]:
                found.setdefault(evidence.PROOF.fullmatch(comment).group(1), []).append(p)
        return found

    def files(self, folder="state", stem="proof-"):
        return sorted(name for name in os.listdir(self.path(folder)) if name.startswith(stem))

    def told(self, report):
        return {f["id"] for f in report["findings"] if f["samples"]}

    def follow(self, *args, state="state"):
        return super().follow("--evidence", state + "/proof.pcapng", *args, state=state)

    def everything(self, name):
        """All of a file but which capture it names."""
        return [(p.ticks, p.data, p.orig, p.iface.described(), p.comments[:-1],
                 evidence.ORIGIN.fullmatch(p.comments[-1]).group(1)) for p in self.packets(name)]

    def test_same_as_audit(self):
        """Of a day the packets that `audit` proves the same findings with; with any threads."""
        for number, name in enumerate(("lab-day", "lab-violations", "lab-av-rewritten")):
            capture = source("pcaps", name + ".pcapng")
            result = self.audit("-q", "-r", capture, "--evidence", "of-audit", "-o", "report.json")
            self.assertIn(result.status, (0, 1, 3), result.err)
            want = self.everything("of-audit")
            self.assertGreater(len(want), 10)
            for threads in "1", "3":
                state = "state-%d-%s" % (number, threads)
                self.folder(state)
                with open(capture, "rb") as f:
                    self.put("a", f.read())
                service = self.follow("--threads", threads, state=state)
                self.wait_read(service)
                service.stop(seconds=10)
                day = self.files(state)[0]
                self.assertEqual(self.everything("%s/%s" % (state, day)), want, (name, threads))
                self.assertIn("None is missing.", self.section("%s/%s" % (state, day))[0])
                self.assertEqual(os.stat(self.path("%s/%s" % (state, day))).st_mode & 0o777, 0o600)

    def test_two_days(self):
        """A finding that persists has its packets of each day in each day's file."""
        live_on = faulty(40009)
        self.put("a", pcap(faulty(40001) + live_on[:3], start=MIDNIGHT - 60))
        self.put("b", pcap(live_on[3:] + faulty(40002), start=MIDNIGHT + 60))
        service = self.follow()
        self.wait_packets(service, len(live_on) + 2 * len(faulty(1)))
        service.stop()
        self.assertEqual(self.files()[:2],
                         ["proof-2026-11-20.pcapng", "proof-2026-11-21.pcapng"])
        first, second = (self.proven("state/" + name) for name in self.files()[:2])
        self.assertEqual(set(first), set(second))
        one = next(iter(first))
        for proven, day, count in ((first, "2026-11-20", KEPT + 3),
                                   (second, "2026-11-21", 6 + KEPT)):
            report = self.report("state/reports/%s.json" % day)
            self.assertEqual(set(proven), self.told(report))
            self.assertEqual(len(proven[one]), count)
            numbers = {int(evidence.ORIGIN.fullmatch(p.comments[-1]).group(1))
                       for p in proven[one]}
            self.assertEqual(len(numbers), count)
            finding = next(f for f in report["findings"] if f["id"] == one)
            self.assertLessEqual({s["packet"] for s in finding["samples"]}, numbers)
            self.assertIsNone(finding["evidence"])
        self.assertTrue(all(evidence.nanoseconds(p) < MIDNIGHT * 10**9 for p in first[one]))
        late = [p for p in second[one] if evidence.nanoseconds(p) >= MIDNIGHT * 10**9]
        self.assertEqual(len(late), 3 + KEPT)  # the rest of the old flow, and the new one

    def test_long_flow(self):
        """Of one that goes on for days the opening, and four packets of each day."""
        talk = [tcp_frame(FE, 40001, PROXY, 4443, ACK, 101, 901),
                tcp_frame(PROXY, 4443, FE, 40001, ACK, 901, 101)]
        flow = faulty(40001)
        frames = [(0, frame, MIDNIGHT + 300) for frame in flow[:3]]
        for time_s in range(MIDNIGHT + 400, MIDNIGHT + 3 * 86400 - 1000, 900):
            frames += [(0, frame, time_s) for frame in talk]
        frames += [(0, frame, frames[-1][2] + 1) for frame in flow[3:]]
        self.put("a", pcapng([b"span"], frames))
        service = self.follow()
        self.wait_packets(service, len(frames), seconds=30)
        service.stop()
        counts = [[evidence.nanoseconds(p) // 10**9 for p in self.packets("state/" + name)]
                  for name in self.files()[:3]]
        opening = [t for t in counts[0] if t < MIDNIGHT + 86400]
        self.assertEqual(len(opening), len(counts[0]))
        for day in 1, 2:
            begin = MIDNIGHT + 86400 * day
            self.assertEqual([t for t in counts[day] if t < MIDNIGHT + 86400], opening)
            self.assertEqual([t for t in counts[day][len(opening):] if t < begin], [])
            self.assertEqual(len(counts[day]), len(opening) + 4)

    def test_long_flow_ends(self):
        """Right after midnight, in its third day: nothing of its second is in that day's file."""
        flow = faulty(40001)
        talk = [tcp_frame(FE, 40001, PROXY, 4443, ACK, 101, 901),
                tcp_frame(PROXY, 4443, FE, 40001, ACK, 901, 101)]
        frames = [(0, frame, MIDNIGHT + 300) for frame in flow[:3]]
        for time_s in range(MIDNIGHT + 400, MIDNIGHT + 2 * 86400, 900):
            frames += [(0, frame, time_s) for frame in talk]
        frames += [(0, frame, MIDNIGHT + 2 * 86400 + 1) for frame in flow[3:]]
        frames += [(0, frame, MIDNIGHT + 2 * 86400 + 3600) for frame in self.flows(1)]
        self.put("a", pcapng([b"span"], frames))
        service = self.follow()
        self.wait_packets(service, len(frames), seconds=30)
        service.stop()
        times = [[evidence.nanoseconds(p) // 10**9 - MIDNIGHT for p in self.packets("state/" + name)]
                 for name in self.files()[:3]]
        self.assertEqual([t // 86400 for t in times[1][len(times[0]):]], [1] * 4)
        self.assertEqual(times[2][:len(times[0])], times[0])
        self.assertEqual([t // 86400 for t in times[2][len(times[0]):]], [2] * len(flow[3:]))

    def test_on_demand(self):
        """At SIGUSR1 the packets of flows that are open are there, too, and again at their end."""
        flow = faulty(40001)
        self.put("a", self.capture(flow[:3]))
        service = self.follow()
        self.wait_packets(service, 3)
        service.signal(signal.SIGUSR1)
        service.wait_said("3 packets, 0 missing")
        self.put("b", self.capture(flow[3:]))
        self.wait_packets(service, len(flow))
        service.stop()
        names = self.files()
        self.assertEqual([len(self.packets("state/" + name)) for name in names], [3, KEPT])
        reports = sorted(os.listdir(self.path("state/reports")))
        self.assertEqual([n.removeprefix("proof-").removesuffix(".pcapng") for n in names],
                         [n.removesuffix(".json") for n in reports][-2:])

    def test_reload(self):
        """Flows that live over it are there once, and those of before are not forgotten."""
        flow = faulty(40001)
        self.put("a", self.capture(faulty(40002) + flow[:3]))
        service = self.follow()
        self.wait_packets(service, self.sent)
        service.signal(signal.SIGHUP)
        service.wait_said("site and rules were read again")
        self.put("b", self.capture(flow[3:]))
        self.wait_packets(service, self.sent)
        service.stop()
        self.assertEqual(len(self.packets("state/" + self.files()[-1])), 2 * KEPT)

    def test_kill(self):
        """What a kill loses is named by the next report and the next file; nothing else is in it."""
        self.put("a", self.capture(faulty(40001)))
        service = self.follow()
        self.wait_packets(service, self.sent)
        time.sleep(9)  # a checkpoint has it
        os.kill(service.sensor(), signal.SIGKILL)
        service.kill()
        before = self.sent
        self.put("b", self.capture(faulty(40002)))
        service = self.follow()
        self.wait_packets(service, self.sent - before)
        service.stop()
        name = "state/" + self.files()[-1]
        self.assertEqual(len(self.packets(name)), KEPT)
        for p in self.packets(name):
            self.assertEqual(p.data[34:36], (40002).to_bytes(2, "big")
                             if p.data[26:30] == bytes((10, 2, 0, 11)) else (4443).to_bytes(2, "big"))
        said = self.section(name)
        self.assertIn("1 packet that belong here came before the sensor was started", said[0])
        self.assertTrue(any("1 packet missing" in line for line in said[1:]), said)
        events = [e["text"] for e in self.last()["period"]["events"]]
        self.assertTrue(any("kept in memory" in text for text in events), events)

    def test_made_again(self):
        """`report make` makes the report of a night that had a file, byte for byte."""
        self.put("a", pcap(faulty(40001), start=MIDNIGHT - 60))
        service = self.follow()
        self.wait_packets(service, 6)
        service.stop()
        result = self.run_program("report", "make", "--state", "state", "--day", "2026-11-20",
                                  "-o", "again.json")
        self.assertEqual(result.status, 0, result.err)
        again, first = (self.report(n) for n in ("again.json", "state/reports/2026-11-20.json"))
        del again["run"], first["run"]
        self.assertEqual(json.dumps(again), json.dumps(first))

    def test_listening(self):
        service = self.start("-i", "a0", "--state", "state", "--evidence", "elsewhere.pcapng")
        self.send_frames(documented() + wrong_direction())
        time.sleep(0.5)
        service.stop()
        names = self.files(".", "elsewhere-")
        self.assertEqual(len(names), 1)
        self.assertIn("%s: %d packets, 0 missing" % (names[0], KEPT), service.said())
        found = self.packets(names[0])
        self.assertEqual(len(found), KEPT)
        self.assertEqual({p.iface.described() for p in found}, {(1, 0, b"a0", 9, 0)})
        self.assertEqual(set(self.proven(names[0])), self.told(self.last()))
        self.assertEqual(os.stat(self.path(names[0])).st_mode & 0o777, 0o600)

    def test_without_state(self):
        service = self.start("-i", "a0", "--evidence", "proof.pcapng", "-o", "report.json")
        self.send_frames(documented() + wrong_direction())
        time.sleep(0.5)
        service.stop()
        report = self.report()
        finding = next(f for f in report["findings"] if f["type"] == "wrong-direction")
        self.assertEqual(finding["evidence"], {"packets": KEPT, "left_out": 0})
        self.assertEqual(len(self.packets("proof.pcapng")), KEPT)

    def test_interfaces(self):
        """Files of a ring that name their interfaces in another order."""
        frames = faulty(40001)
        self.put("a", pcapng([b"east", b"west"], [(0, f, MIDNIGHT + 60) for f in frames[:3]]))
        self.put("b", pcapng([b"west", b"east"], [(0, f, MIDNIGHT + 70) for f in frames[3:]]))
        service = self.follow()
        self.wait_packets(service, len(frames))
        service.stop()
        names = [p.iface.name for p in self.packets("state/proof-2026-11-21.pcapng")]
        self.assertEqual(names, [b"east"] * 3 + [b"west"] * 2)

    def test_disk_full_elsewhere(self):
        """No part of it stands there; it is said, and the report is made."""
        self.small_disk("small", "8k")
        capture = source("pcaps", "lab-day.pcapng")
        with open(capture, "rb") as f:
            self.put("a", f.read())
        service = super().follow("--evidence", "small/proof.pcapng")
        self.wait_read(service)
        service.wait_said("small/proof-2026-11-21.pcapng: cannot be written: No space left")
        service.stop()
        self.assertIn("the packets of small/proof-2026-11-21.pcapng are lost", service.said())
        self.assertNotRegex(service.said(), r"small/proof-2026-11-21.pcapng: \d+ packets")
        self.assertNotIn("proof-2026-11-21.pcapng", self.files("small"))
        self.assertTrue(self.told(self.report("state/reports/2026-11-21.json")))

    def test_folder_gone_elsewhere(self):
        """It is not said to be written; what comes after is, once the folder is there again."""
        self.folder("gone")
        service = super().follow("--evidence", "gone/proof.pcapng")
        os.rename(self.path("gone"), self.path("moved"))
        self.put("a", pcap(faulty(40001), start=MIDNIGHT - 3600))
        service.wait_said("gone/proof-2026-11-20.pcapng: cannot be written: No such file")
        service.wait_said("the packets of gone/proof-2026-11-20.pcapng are lost")
        os.rename(self.path("moved"), self.path("gone"))
        service.stop()
        self.assertNotRegex(service.said(), r"gone/proof-2026-11-20.pcapng: \d+ packets")
        name = self.files("gone")[-1]
        self.assertIn("gone/%s: 0 packets, 0 missing" % name, service.said())

    def test_disk_full(self):
        """Below the state directory it waits, and is tried to the end."""
        self.small_disk("state/small", "8k")
        with open(source("pcaps", "lab-day.pcapng"), "rb") as f:
            self.put("a", f.read())
        service = super().follow("--evidence", "state/small/proof.pcapng")
        self.wait_read(service)
        service.wait_said("the packets that prove the findings of 2026-11-21 wait to be written")
        self.assertEqual(self.files("state/small", ""), [])
        self.enlarge("state/small", "1m")
        service.stop()
        self.assertIn("the packets that prove the findings of 2026-11-21 are written",
                      service.said())
        self.assertGreater(len(self.packets("state/small/proof-2026-11-21.pcapng")), 50)

    def test_retention(self):
        """Below the state directory what the store would have dropped goes, and nothing else."""
        names = ("proof-2020-01-01.pcapng", "proof-2020-01-01.2.pcapng",
                 "proof-2020-01-01T120000Z.pcapng", "proof-2020-01-01.pcap", "proof-2020-13-01.pcapng",
                 "other-2020-01-01.pcapng", "proof-2999-01-01.pcapng", "proof-2020-01-01x.pcapng")
        for name in names:
            self.write("state/" + name, "")
        self.put("a", self.capture(faulty(40001)))
        service = self.follow("--keep-days", "30")
        self.wait_packets(service, self.sent)
        service.stop()
        left = [name for name in names if os.path.exists(self.path("state/" + name))]
        self.assertEqual(left, list(names[3:]))

    def test_bounded(self):
        """With little memory packets are left out, and counted by finding."""
        frames = []
        for port in range(1, 3000):
            frames += [tcp_frame(FE, 40000 + i, PROXY, port, SYN, 1, 0, b"x" * 900)
                       for i in range(5)]
        self.put("a", self.capture(frames))
        service = self.follow("--max-memory", "16MiB")
        self.wait_packets(service, self.sent, seconds=60)
        service.stop(seconds=15)
        name = "state/" + self.files()[-1]
        said = self.section(name)
        self.assertIn("missing for want of memory", said[0])
        self.assertTrue(any("missing" in line for line in said[1:]))
        self.assertLess(os.stat(self.path(name)).st_size, 4 << 20)

    def test_usage(self):
        for args, text in ((("--evidence", "/dev/null"), "wanted the name of a file"),
                           (("--evidence", "-"), "wanted the name of a file"),
                           (("--evidence", "no/where"), "No such file")):
            self.fails(self.run_program(*self.watch_args("-i", "a0", "--state", "state", *args)), text)


def pcapng(names, packets):
    """Interfaces, and packets: the number of theirs, bytes and seconds."""
    def block(kind, body):
        size = (12 + len(body)).to_bytes(4, "little")
        return kind.to_bytes(4, "little") + size + body + size

    def option(code, value):
        return (code.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value +
                bytes(-len(value) % 4))
    out = [block(0x0a0d0d0a, bytes.fromhex("4d3c2b1a01000000") + b"\xff" * 8)]
    for name in names:
        out.append(block(1, bytes.fromhex("0100000000000400") + option(2, name) + bytes(4)))
    for iface, data, seconds in packets:
        us = seconds * 10**6
        head = b"".join(n.to_bytes(4, "little") for n in (iface, us >> 32, us & 0xffffffff,
                                                          len(data), len(data)))
        out.append(block(6, head + data + bytes(-len(data) % 4)))
    return b"".join(out)


if __name__ == "__main__":
    live.main()

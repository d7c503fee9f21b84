#!/usr/bin/env python3
"""load.py PROGRAM SOURCE SEND [SECONDS [RATE...]]: as loss-free as tcpdump?

At each rate (packets a second; 0: as many as the sender can) the same frames go to
`lyncaudit watch` and to `tcpdump -w /dev/null`, each on a wire of its own, with a buffer
of 64 MiB each.  Prints a table of what was sent, lost, and taken of the processor.  Ends
with 1 when watch lost packets at a rate at which tcpdump lost none, or took more than 1.3
times of tcpdump's time there.

Senders and receivers share the machine's processors: only a machine that does nothing else
gives figures worth keeping.  Pin them, with two processors: taskset for each is set here.
"""
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time

import live
import program

BUFFER_MIB = 64
RATES = [100000, 300000, 600000, 1000000, 0]
SECONDS = 5
MOST_TIME = 1.3


def pin(processor):
    """Sender and receiver apart, where there are two."""
    def run():
        if os.cpu_count() > 1:
            os.sched_setaffinity(0, {processor})
    return run


def time_of(pid):
    """Seconds of a processor that the process has had so far."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def many_flows():
    """65,536 flows of small UDP packets, in turns: every packet is of another flow."""
    frames = []
    for i in range(65536):
        udp = struct.pack("!HHHH", 40000 + i % 16384, 3478, 26, 0) + b"\x80" * 18
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), i, 0, 64, 17, 0) \
            + bytes((10, 20, i >> 14, 1 + i % 200)) + bytes((10, 1, 0, 21))
        frames.append(b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + udp)
    return frames


class Tcpdump:
    def __init__(self, _):
        self.child = subprocess.Popen(["tcpdump", "-i", "a0", "-n", "-w", "/dev/null", "-Z", "root",
                                       "-B", str(BUFFER_MIB * 1024)], stderr=subprocess.PIPE,
                                      preexec_fn=pin(1))
        self.child.stderr.readline()
        self.pid = self.child.pid

    def end(self):
        """How many it saw, and how many it says it lost."""
        self.child.send_signal(signal.SIGINT)
        said = self.child.communicate(timeout=60)[1].decode()
        return tuple(int(re.search(r"(\d+) packets? %s" % what, said).group(1))
                     for what in ("captured", "dropped by kernel"))


class Watch:
    def __init__(self, case):
        self.case = case
        self.service = case.start("-i", "a0", "--buffer", f"{BUFFER_MIB}MiB", "-o", "report.json",
                                  wrap=("taskset", "2") if os.cpu_count() > 1 else ())
        self.pid = self.service.sensor()

    def end(self):
        self.service.stop(seconds=60)
        one = self.case.report()["capture"]["sources"][0]
        return one["packets"], one["dropped"]


class Load(live.Live):
    def one(self, receiver, rate):
        """Time is what it takes to receive: the start and the report at the end are not in it."""
        child = receiver(self)
        packets = (rate or 1500000) * SECONDS
        before = time_of(child.pid)
        done = subprocess.run([live.SEND, "-r", str(rate), "-n", str(packets), "a0", self.capture],
                              check=True, stdout=subprocess.PIPE, preexec_fn=pin(0))
        sent = json.loads(done.stdout)
        time.sleep(1.2)
        cpu = time_of(child.pid) - before
        seen, dropped = child.end()
        return {"sent": sent["packets"], "rate": sent["packets"] / sent["seconds"],
                "way": sent["way"], "seen": seen, "dropped": dropped,
                "lost": sent["packets"] - seen, "cpu": cpu}

    def test_load(self):
        self.capture = self.write("churn.pcap", program.pcap(many_flows()))
        bad = []
        print(f"\n{'receiver':9} {'way':8} {'asked/s':>9} {'sent/s':>9} {'sent':>10} {'lost':>9} "
              f"{'ns/packet':>9}", file=sys.stderr)
        for rate in RATES:
            row = {}
            for receiver, kind in ("tcpdump", Tcpdump), ("watch", Watch):
                r = row[receiver] = self.one(kind, rate)
                print(f"{receiver:9} {r['way']:8} {rate:9} {r['rate']:9.0f} {r['sent']:10} "
                      f"{r['lost']:9} {r['cpu'] / r['sent'] * 1e9:9.0f}", file=sys.stderr)
                self.assertEqual(r["lost"], r["dropped"], receiver)  # nothing unnamed
            if row["tcpdump"]["lost"] == 0:
                if row["watch"]["lost"] > 0:
                    bad.append(f"at {rate} a second watch lost {row['watch']['lost']}")
                if row["watch"]["cpu"] > MOST_TIME * row["tcpdump"]["cpu"]:
                    bad.append("at %d a second watch took %.2f times tcpdump's time" %
                               (rate, row["watch"]["cpu"] / row["tcpdump"]["cpu"]))
        self.assertEqual(bad, [])


if __name__ == "__main__":
    if len(sys.argv) > 4:
        SECONDS = int(sys.argv.pop(4))
    if len(sys.argv) > 4:
        RATES = [int(a) for a in sys.argv[4:]]
        del sys.argv[4:]
    live.main()

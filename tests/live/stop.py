#!/usr/bin/env python3
"""stop.py PROGRAM SOURCE GENERATOR [FLOWS [THREADS]]: SIGTERM over a million open flows.

A folder of captures whose flows are still open is followed; once all of it is read, and a
checkpoint is under way or not, the service is asked to stop.  Within five seconds it must
be gone, with every flow and packet in its last report.  A machine that does other things
beside it measures those too.
"""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

MOST_SECONDS = 5
DELAYS = 0, 1, 3  # after the last packet: before a checkpoint, while there is one, and behind it
PACKETS_PER_FLOW = 4


def metric(path, name):
    try:
        with open(path, encoding="utf-8") as f:
            return sum(float(line.split()[-1]) for line in f if line.startswith(name))
    except OSError:
        return 0


def stop_once(program, source, capture, made, threads, delay, folder):
    """How long it took, and the summary of the report that it left."""
    state, ring, metrics = (os.path.join(folder, n) for n in ("state", "ring", "metrics"))
    for name in state, ring:
        os.mkdir(name, 0o755)
    if os.geteuid() == 0:
        shutil.chown(state, "nobody")
    os.link(capture, os.path.join(ring, "1.pcap"))
    with open(capture, "rb") as f:
        first = struct.unpack("<I", f.read(28)[24:])[0]
    service = subprocess.Popen(
        [program, "watch", "-s", os.path.join(source, "bench", "site.json"), "--rules",
         os.path.join(source, "rules", "lync-server-2013"), "--user", "nobody", "--follow", ring,
         "--state", state, "--metrics", metrics, "--threads", threads, "--max-memory", "2GiB",
         "--time-offset", "ring=%d" % (time.time() - first - 5)], stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120
        while metric(metrics, "lyncaudit_packets_total") < made["packets"]:
            if time.monotonic() > end or service.poll() is not None:
                sys.exit("the captures were not read to their end")
            time.sleep(0.1)
        time.sleep(delay)
        began = time.monotonic()
        service.send_signal(signal.SIGTERM)
        status = service.wait(timeout=60)
        took = time.monotonic() - began
    finally:
        service.kill()
    if status != 0:
        sys.exit(f"it ended with {status} after {took:.2f} seconds")
    names = os.listdir(os.path.join(state, "reports"))
    if len(names) != 1:
        sys.exit(f"one report was to be left, and not {names}")
    with open(os.path.join(state, "reports", names[0]), encoding="utf-8") as f:
        return took, json.load(f)


def main():
    program, source, generator = (os.path.abspath(a) for a in sys.argv[1:4])
    flows = int(sys.argv[4]) if len(sys.argv) > 4 else 1000000
    threads = sys.argv[5] if len(sys.argv) > 5 else "1"
    worst = 0
    with tempfile.TemporaryDirectory(prefix="lyncaudit-stop-") as top:
        os.chmod(top, 0o755)
        capture = os.path.join(top, "open.pcap")
        made = json.loads(subprocess.run(
            [generator, "-p", "min1m", "-c", str(flows), "-n", str(PACKETS_PER_FLOW * flows),
             "-o", capture], check=True, stdout=subprocess.PIPE).stdout)
        os.chmod(capture, 0o644)
        for delay in DELAYS:
            with tempfile.TemporaryDirectory(dir=top) as folder:
                os.chmod(folder, 0o755)
                took, report = stop_once(program, source, capture, made, threads, delay, folder)
            if report["capture"]["packets"] != made["packets"] or \
                    report["summary"]["flows"]["total"] != made["flows"]:
                sys.exit(f"not everything is in the report: {report['summary']}, made: {made}")
            worst = max(worst, took)
    print(f"stop: {made['flows']} flows, {flows} of them open: at most {worst:.2f} seconds")
    if worst >= MOST_SECONDS:
        sys.exit(f"it took {worst:.2f} seconds, and may take {MOST_SECONDS}")


if __name__ == "__main__":
    main()

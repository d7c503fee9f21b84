"""Outputs that cannot be written, pipes that break, runs that are stopped or killed."""
import array
import fcntl
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import termios
import threading
import time

import program
from program import Case, documented, pcap, source, wrong_direction

DAY = ("pcaps", "lab-day.pcapng")


class Output(Case):
    def setUp(self):
        super().setUp()
        self.write("bad.pcap", pcap(wrong_direction()))

    def test_missing_directory(self):
        for option in "-o", "--flows", "--findings", "--evidence":
            extra = ["-o", "report.json"] if option != "-o" else []
            self.fails(self.audit("-r", "bad.pcap", option, "none/file", *extra), "none/file",
                       "No such file")
            self.assertEqual(self.names(), ["bad.pcap"])

    def test_directory(self):
        os.mkdir(self.path("folder"))
        self.fails(self.audit("-r", "bad.pcap", "-o", "folder"), "folder", "Is a directory")

    def test_full_device(self):
        """A full disk is an error, and leaves no report behind, not even another one's."""
        for option in "-o", "--flows", "--findings", "--evidence":
            extra = ["-o", "report.json"] if option != "-o" else []
            result = self.audit("-r", "bad.pcap", option, "/dev/full", *extra)
            self.fails(result, "/dev/full", "No space left")
            self.assertEqual(self.names(), ["bad.pcap"])
        for threads in "1", "3":
            for option in "--flows", "--findings":
                result = self.audit("-r", source(*DAY), "-q", "--threads", threads, option,
                                    "/dev/full")
                self.fails(result, "/dev/full: cannot be written: No space left")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode))

    def test_full_standard_output(self):
        with open("/dev/full", "wb") as full:
            for arguments in (self.audit_args("-r", "bad.pcap"),
                              self.audit_args("-r", "bad.pcap", "-o", "-"),
                              ["rules", "list", "--rules", self.rules],
                              ["rules", "list", "--json", "--rules", self.rules],
                              ["--help"]):
                done = subprocess.run([program.PROGRAM, *arguments], stdout=full, cwd=self.dir,
                                      stderr=subprocess.PIPE, timeout=60, check=False)
                self.assertEqual(done.returncode, 2, arguments)
                self.assertIn(b"standard output", done.stderr)

    def test_full_file_system(self):
        """On a small file system: the old report stays, and nothing unfinished beside it."""
        unshare = shutil.which("unshare")
        script = ("mount -t tmpfs -o size=32k none small && echo old >small/report.json && "
                  '"$@"; status=$?; cat small/report.json; ls small; exit $status')
        os.mkdir(self.path("small"))
        probe = None
        if unshare is not None:
            probe = subprocess.run([unshare, "-rm", "sh", "-c",
                                    "mount -t tmpfs -o size=32k none small"], cwd=self.dir,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if probe is None or probe.returncode != 0:
            self.skipTest("no tmpfs can be mounted here: %s"
                          % (probe.stdout.decode().strip() if probe else "no unshare"))
        for arguments in (["-o", "small/report.json"],
                          ["-o", "small/report.json", "--flows", "small/flows"],
                          ["-o", "small/report.json", "--findings", "small/findings"],
                          ["-o", "small/report.json", "--evidence", "small/evidence"]):
            result = self.run_program(*self.audit_args("-r", source(*DAY), *arguments),
                                      wrap=[unshare, "-rm", "sh", "-c", script, "sh"])
            self.fails(result, "small/", "No space left")
            report, *names = result.out.split()
            self.assertEqual(report, "old")
            self.assertLessEqual(set(names), {"report.json", "flows", "findings", "evidence"})

    def test_file_size_limit(self):
        """More than ulimit -f allows is an error like a full disk, and no death by signal."""
        limit = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]
        for option in "-o", "--flows", "--findings":
            result = self.audit("-r", source(*DAY), "-q", option, "large", wrap=limit)
            self.fails(result, "large: cannot be written: File too large")
            self.assertEqual(self.names(), ["bad.pcap"])

    def test_device(self):
        """A device is written to directly and stays one."""
        result = self.audit("-r", "bad.pcap", "-o", "/dev/null")
        self.assertEqual(result.status, 1, result.err)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_named_pipe(self):
        """A pipe is written to directly and stays a pipe."""
        os.mkfifo(self.path("pipe"))
        got = []

        def drain():
            with open(self.path("pipe"), "rb") as f:
                got.append(f.read())

        reader = threading.Thread(target=drain, daemon=True)
        reader.start()
        result = self.audit("-r", "bad.pcap", "-o", "pipe")
        reader.join(30)
        self.assertEqual(result.status, 1, result.err)
        self.assertEqual(json.loads(got[0])["schema"], "lyncaudit-report/1")
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))
        self.assertEqual(self.names(), ["bad.pcap", "pipe"])

    def test_broken_pipe(self):
        """Nobody reads: an output error with a message, not a death by signal."""
        for arguments in (["-o", "-"], [], ["-o", "report.json", "--flows", "-"]):
            child = subprocess.Popen([program.PROGRAM, *self.audit_args("-r", source(*DAY),
                                                                        *arguments)],
                                     cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            child.stdout.close()
            message = child.stderr.read()
            child.stderr.close()
            self.assertEqual(child.wait(60), 2, arguments)
            self.assertIn(b"standard output", message)
            self.assertIn(b"Broken pipe", message)
            self.assertEqual(self.names(), ["bad.pcap"])

    def test_replaced(self):
        """A report takes the place of the old one; a failed run leaves that alone."""
        self.write("report.json", "old")
        self.fails(self.audit("-r", "none.pcap", "-o", "report.json"))
        self.assertEqual(self.read("report.json"), b"old")
        self.assertEqual(self.audit("-r", "bad.pcap", "-o", "report.json").status, 1)
        self.assertEqual(self.report()["schema"], "lyncaudit-report/1")
        self.assertEqual(self.names(), ["bad.pcap", "report.json"])

    def test_named_at_once(self):
        """Where a file without a name could get none later, it has a temporary one meanwhile."""
        hide = 'mount -t tmpfs none /proc/$$/fd && exec "$@"'
        unshare = shutil.which("unshare")
        wrap = [unshare or "unshare", "-rm", "sh", "-c", hide, "sh"]
        if unshare is None or subprocess.run([*wrap, "true"], check=False, cwd=self.dir,
                                             stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("/proc/self/fd cannot be hidden here")
        self.write("report.json", "old")
        self.assertEqual(self.audit("-r", "bad.pcap", "-o", "report.json", wrap=wrap).status, 1)
        self.assertEqual(self.report()["schema"], "lyncaudit-report/1")
        self.fails(self.audit("-r", "none.pcap", "-o", "report.json", wrap=wrap), "none.pcap")
        self.assertEqual(self.names(), ["bad.pcap", "report.json"])

    def test_private(self):
        """Reports hold addresses: they are their owner's."""
        self.write("proof", "readable by all until now")
        os.chmod(self.path("proof"), 0o644)
        self.audit("-r", "bad.pcap", "-o", "report.json", "--flows", "flows", "--findings", "found",
                   "--evidence", "proof")
        for name in "report.json", "flows", "found", "proof":
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode) & 0o077, 0, name)

    def test_evidence(self):
        """Without a finding it is a file all the same; to standard output when the report is not."""
        self.write("good.pcap", pcap(documented()))
        for name, packets in ("good.pcap", 0), ("bad.pcap", len(wrong_direction()) - 1):
            result = self.audit("-r", name, "--evidence", "proof")
            self.assertIn("%14d  packet" % packets, result.out)
            self.assertEqual(self.read("proof").count(b" of " + name.encode()), # and the interface
                             packets + (packets > 0))
            self.audit("-r", name, "-o", "report.json", "--evidence", "proof")
            self.assertEqual(sum(f["evidence"]["packets"] for f in self.report()["findings"]),
                             packets)
        done = subprocess.run([program.PROGRAM, *self.audit_args(
            "-r", "bad.pcap", "-o", "report.json", "--evidence", "-")], cwd=self.dir,
            stdout=subprocess.PIPE, check=False)
        self.assertEqual(done.stdout, self.read("proof"))
        self.fails(self.audit("-r", "bad.pcap", "--evidence", "-"), "standard output")
        self.fails(self.audit("-r", "bad.pcap", "-o", "x", "--evidence", "x"), "two outputs")


    def test_among_captures(self):
        """Outputs in the folder that is read are no captures, and not there yet."""
        self.need_nameless_files()
        os.mkdir(self.path("ring"))
        self.write("ring/1.pcap", pcap(wrong_direction()))
        self.assertEqual(self.audit("-r", "ring", "-o", "ring/report.json", "--flows",
                                    "ring/flows").status, 1)
        self.assertEqual([s["name"] for s in self.report("ring/report.json")["capture"]["sources"]],
                         ["ring/1.pcap"])


    def test_all_findings(self):
        """The log holds each finding of the report once, those too that only the end can tell."""
        for name in "lab-day.pcapng", "lab-dns.pcapng", "lab-violations.pcapng":
            self.audit("-r", source("pcaps", name), "-o", "report.json", "--findings", "found")
            told = [json.loads(line) for line in self.read("found").splitlines()]
            ids = [f["id"] for f in told]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertLessEqual({f["id"] for f in self.report()["findings"]}, set(ids), name)
            self.assertIn("missing-flow", {f["type"] for f in told})
        self.assertIn("blocked-flow", {f["type"] for f in told})

    def test_inputs_stay(self):
        """No output takes the place of what is read, whatever the name."""
        capture = pcap(documented())
        with open(self.site, "rb") as f:
            site = f.read()
        os.mkdir(self.path("ring"))
        self.write("ring/1.pcap", capture)
        self.write("site.json", site)
        os.link(self.path("ring/1.pcap"), self.path("other.pcap"))
        os.symlink("ring/1.pcap", self.path("link.pcap"))
        for output in "ring/1.pcap", "./ring//1.pcap", "other.pcap", self.path("ring/1.pcap"):
            for option in "-o", "--flows", "--findings":
                for read in "ring", "ring/1.pcap", "link.pcap":
                    result = self.audit("-r", read, "-q", option, output)
                    self.fails(result, output, "would be overwritten")
        self.fails(self.audit("-r", "ring", "-o", "./site.json", site="site.json"), "site.json",
                   "would be overwritten")
        self.assertEqual(self.read("ring/1.pcap"), capture)
        self.assertEqual(self.read("site.json"), site)
        self.assertEqual(self.names(), ["bad.pcap", "link.pcap", "other.pcap", "ring",
                                        "site.json"])
        os.symlink("ring/1.pcap", self.path("link")) # a link is replaced, not what it leads to
        self.assertEqual(self.audit("-r", "ring", "-o", "link").status, 0)
        self.assertEqual(self.read("ring/1.pcap"), capture)


class Stopped(Case):
    """A FIFO holds the reading half-way, for as long as the test keeps it open."""

    def sleeps(self):
        """Every thread of the child waits: it has done with what it read."""
        states = []
        for task in os.listdir(f"/proc/{self.child.pid}/task"):
            with open(f"/proc/{self.child.pid}/task/{task}/stat", encoding="ascii") as f:
                states.append(f.read().rsplit(")", 1)[1].split()[0])
        return set(states) == {"S"}

    def start(self, data, *arguments):
        if not os.path.exists(self.path("fifo")):
            os.mkfifo(self.path("fifo"))
        self.child = subprocess.Popen(
            [program.PROGRAM, *self.audit_args("-r", "fifo", *arguments)], cwd=self.dir,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.child.stdout.close)
        self.addCleanup(self.child.stderr.close)
        self.addCleanup(self.child.kill)
        self.fifo = open(self.path("fifo"), "wb", buffering=0)
        self.addCleanup(self.fifo.close)
        self.fifo.write(data)
        left = array.array("i", [1])
        deadline = time.monotonic() + 60
        while (left[0] > 0 or not self.sleeps()) and time.monotonic() < deadline:
            fcntl.ioctl(self.fifo, termios.FIONREAD, left)
            time.sleep(0.01)
        self.assertEqual(left[0], 0, "the program does not read")

    def stop(self, signal_number):
        self.child.send_signal(signal_number)
        try:
            return self.child.wait(60)
        finally:
            self.child.kill()

    def test_signals(self):
        """What was read is reported, marked incomplete: 1 with findings, 3 without."""
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            for frames, status in (wrong_direction(), 1), (documented(), 3):
                with self.subTest(signal=number, status=status):
                    self.start(pcap(frames), "-o", "report.json")
                    self.assertEqual(self.stop(number), status)
                    self.fifo.close()
                    report = self.report()
                    self.assertIs(report["capture"]["complete"], False)
                    self.assertEqual(report["capture"]["packets"], len(frames))
                    self.assertEqual(report["summary"]["verdict"],
                                     "non-compliant" if status == 1 else "incomplete")
                    os.unlink(self.path("report.json"))
                    self.assertEqual(self.names(), ["fifo"])

    def test_no_hangup(self):
        """nohup(1): who was started so goes on when the terminal has gone."""
        old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGHUP, old)
        self.start(pcap(wrong_direction()), "-o", "report.json")
        self.child.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        self.fifo.write(pcap(wrong_direction())[24:])
        self.fifo.close()
        self.assertEqual(self.child.wait(60), 1)
        self.assertIs(self.report()["capture"]["interrupted"], False)
        self.assertEqual(self.report()["capture"]["packets"], 2 * len(wrong_direction()))

    def test_filtered(self):
        """A capture without end of which nothing passes the filter: who asks to stop is heard."""
        self.start(pcap(documented()), "-f", "udp", "-o", "report.json")
        records = pcap(documented())[24:] * 5000

        def feed():
            try:
                while True:
                    self.fifo.write(records)
            except OSError: # it has gone
                pass

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        time.sleep(0.5)
        self.assertEqual(self.stop(signal.SIGINT), 3)
        feeder.join()
        self.assertIs(self.report()["capture"]["interrupted"], True)
        self.assertEqual(self.report()["capture"]["packets"], 0)

    def test_silent(self):
        """What is found is told while the input is silent, with any number of threads."""
        # The second flow comes when the first is over by any clock.
        data = pcap(wrong_direction()) + pcap(documented(), start=program.START + 86400)[24:]
        for threads in "1", "2", "3":
            with self.subTest(threads=threads):
                self.start(data, "-q", "--findings", "-", "--threads", threads)
                ready, _, _ = select.select([self.child.stdout], [], [], 5)
                self.assertTrue(ready, "nothing is told")
                line = os.read(self.child.stdout.fileno(), 65536)
                self.assertEqual(json.loads(line)["type"], "wrong-direction")
                self.fifo.close()
                self.assertEqual(self.child.wait(60), 1)

    def test_not_reached(self):
        """Each source that was not read to its end says so, and none that it holds nothing."""
        self.write("later.pcap", pcap(documented(), start=program.START + 3600))
        self.start(pcap(documented()), "-r", "later.pcap", "-o", "report.json")
        self.assertEqual(self.stop(signal.SIGINT), 3)
        limits = {(l["kind"], l["where"]): l["what"] for l in self.report()["validity"]["limits"]}
        self.assertIn("when packet %d of it" % len(documented()), limits["truncated", "fifo"])
        self.assertIn("when packet 0 of it", limits["truncated", "later.pcap"])
        self.assertNotIn(("gap", "later.pcap"), limits)

    def test_summary(self):
        self.start(pcap(documented()))
        self.assertEqual(self.stop(signal.SIGINT), 3)
        self.assertIn(b"INCOMPLETE", self.child.stdout.read())

    def test_killed(self):
        """kill -9: the report before stands as it was, under its own name, and nothing beside it."""
        self.write("report.json", "old")
        self.start(pcap(wrong_direction()), "-o", "report.json", "--flows", "flows",
                   "--evidence", "proof")
        self.assertEqual(self.stop(signal.SIGKILL), -signal.SIGKILL)
        self.assertEqual(self.read("report.json"), b"old")
        self.assertNotIn("flows", self.names())
        self.assertNotIn("proof", self.names())
        self.need_nameless_files()
        self.assertEqual(self.names(), ["fifo", "report.json"])

    def test_killed_first(self):
        """... and where none stood before, none appears."""
        self.start(pcap(wrong_direction()), "-o", "report.json")
        self.stop(signal.SIGKILL)
        self.assertNotIn("report.json", self.names())


if __name__ == "__main__":
    program.main()

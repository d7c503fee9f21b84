"""What the program can still do when it begins to read, and what the kernel says of it.

The program is the one with look_around.c linked in.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
import program  # noqa: E402
from program import Case, documented, pcap  # noqa: E402

SANITIZED = os.environ.get("LYNCAUDIT_SANITIZED") == "1"

# What Landlock stands against, what seccomp, and what neither is needed for.
BY_LANDLOCK = {"read another file": "EACCES", "read a file of the system": "EACCES",
               "write a named input": "EACCES", "write a new file": "EACCES",
               "write beside an output": "EACCES",
               "give another file a name beside an output": "EXDEV"}
BY_SECCOMP = {"open a socket": "EPERM", "open a local socket": "EPERM", "trace": "EPERM",
              "start a program": "EPERM"}
ALWAYS = {"use a capability": "EPERM"}


class Confined(Case):
    def setUp(self):
        super().setUp()
        self.write("named.pcap", pcap(documented()))
        self.write("other", "not named\n")
        version = self.run_program("--version").out
        self.landlock = "Landlock yes" in version and not SANITIZED
        self.seccomp = "seccomp yes" in version and not SANITIZED

    def test_look_around(self):
        if SANITIZED:
            self.skipTest("a sanitized build keeps what its leak checker needs")
        os.mkdir(self.path("out"))
        result = self.audit("-r", "named.pcap", "-o", "out/report.json")
        answers = dict(re.findall(r"^at (.*: .*): (\w+)$", result.err, re.M))
        wanted = dict(ALWAYS)
        if self.landlock:
            wanted.update(BY_LANDLOCK)
        if self.seccomp:
            wanted.update(BY_SECCOMP)
        elif self.landlock:
            wanted["start a program"] = "EACCES"
        else:
            self.skipTest("this kernel has neither Landlock nor seccomp")
        for where in "rules", "captures":
            for what, answer in wanted.items():
                self.assertEqual(answers.get(f"{where}: {what}"), answer, (where, what))
        self.assertEqual(result.status, 0, result.err)
        if self.landlock:
            self.assertEqual(self.names(), ["named.pcap", "other", "out"])
            # a new name is what the rename of the report needs; nothing stands under it
            self.assertEqual(sorted(os.listdir(self.path("out"))), ["new", "report.json"])
            self.assertEqual(self.read("out/new"), b"")

    def looked_around(self, result, new):
        """What a hit in the parsers of a state directory could reach."""
        answers = dict(re.findall(r"^at state: (.*): (\w+)$", result.err, re.M))
        wanted = dict(ALWAYS)
        if self.landlock:
            wanted.update(BY_LANDLOCK)
            wanted["write into the state directory"] = "EACCES"
            wanted["write a report of the state directory"] = "EACCES"
            wanted["give another file a name beside an output"] = new
        if self.seccomp:
            wanted.update(BY_SECCOMP)
        for what, answer in wanted.items():
            self.assertEqual(answers.get(what), answer, what)

    def test_state(self):
        if SANITIZED:
            self.skipTest("a sanitized build keeps what its leak checker needs")
        subprocess.run([os.environ["MAKE_STATE"], self.path("state")], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.mkdir(self.path("out"))
        made = self.run_program("report", "make", "--state", "state", "--day", "2026-11-21",
                                "-o", "out/again.json")
        self.assertEqual(made.status, 0, made.err)
        self.looked_around(made, "EXDEV")
        self.assertEqual(self.report("out/again.json")["period"]["partial"], True)
        shown = self.run_program("history", "--state", "state")
        self.assertEqual(shown.status, 0, shown.err)
        self.assertIn("unexpected-port", shown.out)
        self.looked_around(shown, "EACCES")

    def test_kernel(self):
        """While it waits for input: no capability, nothing to gain, system calls filtered."""
        if SANITIZED:
            self.skipTest("nothing keeps a sanitized build from becoming the program it tries")
        os.mkfifo(self.path("fifo"))
        child = subprocess.Popen([program.PROGRAM, *self.audit_args("-r", "fifo", "-q")],
                                 cwd=self.dir, stderr=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        with open(self.path("fifo"), "wb", buffering=0) as fifo:
            fifo.write(pcap([]))
            time.sleep(0.2)
            with open(f"/proc/{child.pid}/status", encoding="ascii") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            child.send_signal(signal.SIGTERM)
        self.assertEqual(status["NoNewPrivs"], "1")
        for name in "CapInh", "CapPrm", "CapEff", "CapAmb":
            self.assertEqual(int(status[name], 16), 0, name)
        if self.seccomp:
            self.assertEqual(status["Seccomp"], "2")


if __name__ == "__main__":
    program.main()

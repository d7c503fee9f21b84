"""Every way of normal use works with the rights that are left."""
import gzip
import json
import lzma
import os
import pathlib
import pwd
import shutil
import sqlite3
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
import program  # noqa: E402
from program import Case, documented, pcap, source, wrong_direction  # noqa: E402

BAD = len(wrong_direction())


class Use(Case):
    """Each way reads the same capture, whose one flow goes in the wrong direction."""

    def setUp(self):
        super().setUp()
        self.write("bad.pcap", pcap(wrong_direction()))

    def judged(self, result, packets=BAD):
        """The report stands and holds the finding."""
        self.assertEqual((result.status, result.err), (1, ""))
        report = self.report()
        self.assertEqual(report["capture"]["packets"], packets)
        self.assertIn("wrong-direction", [f["type"] for f in report["findings"]])

    def test_relative(self):
        os.mkdir(self.path("deep"))
        shutil.copy(self.path("bad.pcap"), self.path("deep/copy"))
        self.judged(self.audit("-r", "./deep/../deep/copy", "-o", "report.json"))

    def test_absolute(self):
        self.judged(self.audit("-r", self.path("bad.pcap"), "-o", self.path("report.json")))

    def test_symbolic_link(self):
        os.mkdir(self.path("far"))
        shutil.move(self.path("bad.pcap"), self.path("far/bad.pcap"))
        os.symlink("far/bad.pcap", self.path("link"))
        self.judged(self.audit("-r", "link", "-o", "report.json"))

    def test_directory(self):
        os.mkdir(self.path("ring"))
        self.write("ring/1", pcap(wrong_direction()))
        self.write("ring/2", pcap(documented(), start=program.START + 60))
        self.judged(self.audit("-r", "ring", "-o", "report.json"), BAD + len(documented()))
        self.judged(self.audit("-r", "ring/", "-o", "report.json"), BAD + len(documented()))

    def test_many_files(self):
        """More than are read at once, in a folder beside the one of the report."""
        os.mkdir(self.path("ring"))
        for i in range(40):
            self.write(f"ring/{i}", pcap(wrong_direction(), start=program.START + 60 * i))
        self.judged(self.audit("-r", "ring", "-o", "report.json"), 40 * BAD)

    def test_packed(self):
        self.write("bad.gz", gzip.compress(self.read("bad.pcap")))
        self.judged(self.audit("-r", "bad.gz", "-o", "report.json"))
        self.write("bad.xz", lzma.compress(self.read("bad.pcap")))
        self.judged(self.audit("-r", "bad.xz", "-o", "report.json"))
        for tool in "zstd", "lz4":
            if shutil.which(tool) is None:
                continue
            with open(self.path("bad." + tool), "wb") as packed:
                subprocess.run([tool, "-q", "-c", self.path("bad.pcap")], check=True,
                               stdout=packed)
            self.judged(self.audit("-r", "bad." + tool, "-o", "report.json"))

    def test_standard_input(self):
        data = self.read("bad.pcap")
        self.judged(self.audit("-r", "-", "-o", "report.json", data=data))
        self.judged(self.audit("-r", "-", "-o", "report.json", data=gzip.compress(data)))

    def test_named_pipe(self):
        os.mkfifo(self.path("pipe"))

        def feed():
            with open(self.path("pipe"), "wb") as f:
                f.write(self.read("bad.pcap"))

        writer = threading.Thread(target=feed, daemon=True)
        writer.start()
        self.judged(self.audit("-r", "pipe", "-o", "report.json"))
        writer.join(30)

    def test_standard_output(self):
        result = self.audit("-r", "bad.pcap")
        self.assertEqual((result.status, result.err), (1, ""))
        self.assertIn("NON-COMPLIANT", result.out)
        result = self.audit("-r", "bad.pcap", "-o", "-")
        self.assertEqual((result.status, result.err), (1, ""))
        self.assertEqual(json.loads(result.out)["capture"]["packets"], BAD)

    def test_all_outputs(self):
        """Each in a folder of its own, of which one is the captures'."""
        os.mkdir(self.path("a"))
        os.mkdir(self.path("b"))
        self.judged(self.audit("-r", "bad.pcap", "-o", "report.json", "--flows", "a/flows",
                               "--findings", self.path("b/found")))
        flows = [json.loads(line) for line in self.read("a/flows").splitlines()]
        found = [json.loads(line) for line in self.read("b/found").splitlines()]
        self.assertEqual(len(flows), 1)
        self.assertEqual(len([f for f in found if f["severity"] != "info"]), 1)
        self.judged(self.audit("-r", "bad.pcap", "-o", "report.json", "--flows", "/dev/null"))

    def test_rules_by_hand(self):
        shutil.copytree(self.rules, self.path("mine"))
        self.judged(self.audit("-r", "bad.pcap", "-o", "report.json", rules="mine"))
        self.judged(self.audit("-r", "bad.pcap", "-o", "report.json", rules="mine/"))

    def test_site_by_hand(self):
        """With dates in its exceptions, which take the time zones of the system."""
        with open(source("docs", "examples", "site.json"), encoding="utf-8") as f:
            text = f.read()
        self.write("here.json", text)
        self.judged(self.audit("-r", "bad.pcap", "-o", "report.json", site="here.json"))

    def test_installed_rules(self):
        """Without --rules, where the program's own folder tells where they are."""
        found = self.run_program("rules", "list")
        if found.status != 0:
            self.skipTest("this program's folder does not lead to the rule set")
        self.judged(self.run_program("audit", "-s", self.site, "-r", "bad.pcap", "-o",
                                     "report.json"))

    def test_filter_and_offset(self):
        result = self.audit("-r", "bad.pcap", "-o", "report.json", "-f", "tcp port 4443",
                            "--time-offset", "bad.pcap=1.5", "--progress")
        self.assertEqual(result.status, 1, result.err)
        self.assertEqual(self.report()["capture"]["packets"], BAD)

    def test_replaced(self):
        self.write("report.json", "old")
        self.judged(self.audit("-r", "bad.pcap", "-o", "report.json"))
        self.assertEqual(self.names(), ["bad.pcap", "report.json"])


class State(Case):
    """A state directory, which a service left (make_state.c) or uses."""

    def state(self, owner=None):
        """A state directory, of another user where that is wanted and can be."""
        subprocess.run([os.environ["MAKE_STATE"], self.path("state")], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if owner is None:
            return
        os.chmod(self.dir, 0o755)
        user = pwd.getpwnam(owner)
        for folder, folders, files in os.walk(self.path("state")):
            for name in [".", *folders, *files]:
                os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid)

    def test_state_in_use(self):
        """Beside a service that writes, and of a copy that was made meanwhile."""
        self.state()
        writer = sqlite3.connect(self.path("state/store.db"))
        self.addCleanup(writer.close)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("UPDATE finding SET flows = 4711")
        writer.commit()
        os.mkdir(self.path("copy"))
        for name in "store.db", "store.db-wal":
            shutil.copy(self.path("state/" + name), self.path("copy/" + name))
        for folder in "state", "copy":
            shown = self.run_program("history", "--state", folder)
            self.assertEqual(shown.status, 0, shown.err)
            self.assertIn("4711", shown.out)

    def test_state_of_another(self):
        """Root has no rights to it without its capabilities: its owner reads, root names."""
        if os.geteuid() != 0:
            self.skipTest("only root can become the owner")
        self.state("nobody")
        os.mkdir(self.path("out"), 0o700)
        made = self.run_program("report", "make", "--state", "state", "--day", "2026-11-21",
                                "-o", "out/again.json")
        self.assertEqual(made.status, 0, made.err)
        self.assertEqual(self.report("out/again.json")["period"]["partial"], True)
        self.assertEqual(os.stat(self.path("out/again.json")).st_uid, 0)
        shown = self.run_program("history", "--state", "state", "--json")
        self.assertEqual(json.loads(shown.out)["schema"], "lyncaudit-history/1")
        wrong = self.run_program("report", "make", "--state", "state", "--day", "2025-01-01",
                                 "-o", "out/none.json")
        self.assertEqual(wrong.status, 2)
        self.assertNotIn("none.json", os.listdir(self.path("out")))


if __name__ == "__main__":
    program.main()

"""report make and history, on a state directory that a service left (make_state.c)."""
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile

import jsonschema

from program import Case, main, source


class Nights(Case):
    @classmethod
    def setUpClass(cls):
        cls.left = tempfile.mkdtemp(prefix="lyncaudit-left-")
        subprocess.run([os.environ["MAKE_STATE"], cls.left], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.left)

    def setUp(self):
        super().setUp()
        self.state = self.path("state")
        shutil.copytree(self.left, self.state)

    def night(self, name):
        with open(os.path.join(self.state, "reports", name + ".json"), "rb") as f:
            return f.read()

    def history(self, *args):
        done = self.run_program("history", "--state", self.state, *args)
        self.assertEqual((done.status, done.err), (0, ""))
        return done.out

    def test_made_again(self):
        for name in ("2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24"):
            done = self.run_program("report", "make", "--state", self.state, "--day", name)
            self.assertEqual((done.status, done.err), (0, ""))
            again, left = done.out.encode(), self.night(name)
            # byte for byte, from the end of `run` on
            mark = b'  "sensor": '
            self.assertEqual(again[again.index(mark):], left[left.index(mark):])
            run = json.loads(again)["run"]
            self.assertEqual(run["arguments"],
                             ["report", "make", "--state", self.state, "--day", name])
            self.assertEqual(list(json.loads(again)), list(json.loads(left)))

    def test_made_into_a_file(self):
        done = self.run_program("report", "make", "--state", self.state, "--day", "2026-11-21",
                                "-o", "again.json")
        self.assertEqual((done.status, done.out), (0, ""))
        self.assertEqual(self.report("again.json")["period"],
                         json.loads(self.night("2026-11-21"))["period"])

    def test_cannot_be_made(self):
        make = ("report", "make", "--state", self.state, "--day")
        result = self.run_program(*make, "2026-11-25")
        self.fails(result, "the report of 2026-11-25 has not been made", "no service runs")
        self.assertNotIn("SIGUSR1", result.err)
        with open(os.path.join(self.state, "lock"), "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)  # as a service does
            self.fails(self.run_program(*make, "2026-11-25"),
                       "2026-11-25 is not over yet: ask the service for a report (SIGUSR1)")
        self.fails(self.run_program(*make, "2026-11-20"), "nothing is kept of 2026-11-20")
        self.fails(self.run_program(*make, "yesterday", "-o", "x.json"), "yesterday")
        self.assertFalse(os.path.exists(self.path("x.json")))
        self.fails(self.run_program("report", "make", "--state", self.path("no"), "--day", "x"),
                   self.path("no"))
        self.fails(self.run_program("report"), "make")
        self.fails(self.run_program("report", "make", "--day", "2026-11-21"), "--state")
        self.fails(self.run_program(*make), "--day")

    def test_history(self):
        lines = self.history().splitlines()
        self.assertTrue(lines[0].startswith("NIGHT"))
        self.assertIn("2026-11-21", lines[1])
        self.assertIn("partial", lines[1])
        self.assertIn("incomplete", lines[4]) # not a single flow was seen in that night
        # Of the findings the gravest comes first, with the nights that had it.
        first = lines[lines.index(next(a for a in lines if a.startswith("FINDING"))) + 1]
        self.assertEqual(first.split()[1:], ["medium", "2/4", "1", "1", ".", "."])
        host = next(a for a in lines if a.startswith("fe01"))
        self.assertEqual(host.split()[1:6], ["2/4", "1", "1", ".", "."])

    def test_history_as_json(self):
        with open(source("docs", "schema", "history.schema.json"), encoding="utf-8") as f:
            schema = json.load(f)
        jsonschema.Draft7Validator.check_schema(schema)
        for args in ((), ("-n", "2")):
            history = json.loads(self.history("--json", *args))
            jsonschema.Draft7Validator(schema).validate(history)
        self.assertEqual([n["night"] for n in history["nights"]], ["2026-11-23", "2026-11-24"])
        whole = json.loads(self.history("--json"))
        for night in whole["nights"]:
            report = json.loads(self.night(night["night"]))
            self.assertEqual(night["verdict"], report["summary"]["verdict"])
            ids = {f["id"] for f in whole["findings"]
                   if night["night"] in [n["night"] for n in f["nights"]]}
            self.assertEqual(ids, {f["id"] for f in report["findings"]})
            for rule in report["coverage"]:
                row = next(r for r in whole["rules"] if r["rule"] == rule["rule"])
                row = next(n for n in row["nights"] if n["night"] == night["night"])
                self.assertEqual((row["status"], row["flows"], row["packets"]),
                                 (rule["status"], rule["flows"], rule["packets"]))

    def test_history_of_nothing(self):
        self.fails(self.run_program("history", "--state", self.path("no")), self.path("no"))
        self.fails(self.run_program("history"), "--state")
        for nights in ("0", "-1", "x", "99999999999999999999"):
            self.fails(self.run_program("history", "--state", self.state, "-n", nights), nights)

    def test_while_a_service_writes(self):
        """Readers do not wait for the writer, and see what is whole."""
        writer = sqlite3.connect(os.path.join(self.state, "store.db"), isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM finding")
        self.assertIn("unexpected-port", self.history())
        writer.execute("ROLLBACK")
        writer.close()

    def test_newer(self):
        db = sqlite3.connect(os.path.join(self.state, "store.db"))
        db.execute("PRAGMA user_version = 99")
        db.close()
        self.fails(self.run_program("history", "--state", self.state), "newer version", "99")

    def test_minutes_can_be_asked(self):
        """The view that lyncaudit-state(5) names."""
        db = sqlite3.connect(os.path.join(self.state, "store.db"))
        rows = db.execute("SELECT night, src_role, dst_host, port, verdict, sum(packets)"
                          " FROM flow_minute GROUP BY 1, 2, 3, 4, 5 ORDER BY 1").fetchall()
        db.close()
        self.assertEqual(rows[0], ("2026-11-21", "client", "fe01", "4443", "unexpected-port", 5))
        total = sum(json.loads(self.night(f[:-5]))["capture"]["packets"]
                    for f in os.listdir(os.path.join(self.state, "reports"))
                    if len(f) == len("2026-11-21.json"))
        self.assertEqual(sum(r[5] for r in rows), total + 5)  # and the night under way


if __name__ == "__main__":
    main()

"""Symbolic links below the state directory, which lead who has more rights nowhere.

Who reads packets may write there and cannot make a link; a program of the same user's can,
such as the hook.  So they stand here before the service does, or come while it runs.
"""
import os
import pwd
import shutil
import signal

import live
from program import documented, pcap, tcp_flow, wrong_direction
from ring import Ring

MIDNIGHT = 1795215600  # 2026-11-21 00:00 in Paris
WHY = "a symbolic link is in the way"


class Links(Ring):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("outside"), 0o755)  # root's
        self.folder("state/door")

    def plant(self, name="state/door", to="outside"):
        """A link in the place of what stands there."""
        path = self.path(name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        os.symlink(self.path(to), path)
        user = pwd.getpwnam(live.USER)
        os.lchown(path, user.pw_uid, user.pw_gid)

    def watch(self, *args):
        return self.start("-i", "a0", "--state", "state", *args)

    def outside(self):
        return os.listdir(self.path("outside"))

    def test_before(self):
        """It does not start, and says of which output it is; nothing is written behind the link."""
        self.plant()
        for option in "metrics", "findings", "flows", "evidence":
            result = self.run_program(*self.watch_args("-i", "a0", "--state", "state",
                                                       "--" + option, "state/door/x"))
            self.fails(result, "state/door/x: ", WHY)
            self.assertEqual(self.outside(), [], option)

    def test_leads_to_the_state(self):
        """Who puts the whole directory on a larger disk, before it is made or afterwards."""
        os.mkdir(self.path("disk"), 0o755)
        os.symlink(self.path("disk"), self.path("var"))
        user = pwd.getpwnam(live.USER)
        os.chown(self.path("disk"), user.pw_uid, user.pw_gid)
        for state in "var/new", "var/new", "var":
            with self.subTest(state=state):
                service = self.start("-i", "a0", "--state", state)
                self.send_frames(documented())
                service.stop()
                reports = os.listdir(self.path(state + "/reports"))
                self.assertGreater(len(reports), 0)
                history = self.run_program("history", "--state", state)
                self.assertEqual(history.status, 0, history.err)

    def test_pipe(self):
        """Put in the place of the site, it would make who is root wait for ever."""
        os.mkfifo(self.path("state/site.json"))
        result = self.run_program("watch", "-s", "state/site.json", "--rules", self.rules, "--user",
                                  live.USER, "-i", "a0", "--state", "state",
                                  wrap=("timeout", "20"))
        self.fails(result, "state/site.json: ", "is no regular file")

    def test_metrics(self):
        service = self.watch("--metrics", "state/door/metrics")
        self.plant()
        service.wait_said("state/door/metrics: cannot be written: " + WHY)
        service.stop()
        self.assertEqual(self.outside(), [])

    def test_lines(self):
        """At SIGHUP they are opened anew: by a folder, or by their own name."""
        for option in "findings", "flows":
            for place in "state/door", "state/lines":
                with self.subTest(option=option, place=place):
                    self.lines_of(option, place)

    def lines_of(self, option, place):
        folder = place == "state/door"
        shutil.rmtree(self.path("state"))
        self.folder("state")
        self.folder("state/door")
        path = place + "/lines" if folder else place
        service = self.watch("--" + option, path)
        self.plant(place, "outside" if folder else "outside/lines")
        service.signal(signal.SIGHUP)
        service.wait_said("site and rules were read again")
        service.stop()
        self.assertIn(path + ": ", service.said())
        self.assertIn(WHY, service.said())
        self.assertIn("the file of before is written on", service.said())
        self.assertEqual(self.outside(), [])
        os.unlink(service.log)

    def test_through_another(self):
        """A link of the operator's that leads below the state directory, where one leads on."""
        os.symlink(self.path("state/door"), self.path("short"))
        service = self.watch("--metrics", "short/metrics")
        self.plant()
        service.wait_said("short/metrics: cannot be written: " + WHY)
        service.stop()
        self.assertEqual(self.outside(), [])

    def test_evidence(self):
        """The sensor writes it, who has no right behind the link."""
        service = self.watch("--evidence", "state/door/proof.pcapng")
        self.plant()
        self.send_frames(documented() + wrong_direction())
        service.stop()
        self.assertIn("are not written: state/door/proof-", service.said())
        self.assertEqual(self.outside(), [])

    def test_configuration(self):
        """What root alone may read is not handed to who reads packets."""
        secret = self.write("outside/secret", '{"secret": 1}')
        os.chmod(secret, 0o600)
        shutil.copy(self.site, self.path("state/site.json"))
        self.site = self.path("state/site.json")
        service = self.watch()
        self.plant("state/site.json", "outside/secret")
        service.signal(signal.SIGHUP)
        service.wait_said("the site and rules of before stay in force")
        service.stop()
        self.assertIn(WHY, service.said())
        self.assertNotIn("secret", service.said())

    def test_hook(self):
        """Who reads packets could put another program there."""
        shutil.copy("/bin/true", self.path("state/door/hook"))
        result = self.run_program(*self.watch_args("-i", "a0", "--state", "state", "--hook",
                                                   self.path("state/door/hook")))
        self.fails(result, "state/door/hook: ", "below the state directory")

    def test_hook_reached_through(self):
        """It lies outside, but who may write in between decides where that is."""
        shutil.copy("/bin/true", self.path("outside/hook"))
        through = self.path("state/door/../../outside/hook")
        result = self.run_program(*self.watch_args("-i", "a0", "--state", "state", "--hook", through))
        self.fails(result, through + ": ", "reached through it")

    def test_report_again(self):
        """The report that root makes again."""
        frames = tcp_flow("10.2.0.11", 40001, "10.1.0.41", 4443)
        self.put("a", pcap(frames, start=MIDNIGHT - 60))
        service = self.follow()
        self.wait_packets(service, len(frames))
        service.stop()
        self.plant()
        for path in "state/door/again.json", "state/reports/../door/again.json":
            result = self.run_program("report", "make", "--state", "state", "--day", "2026-11-20",
                                      "-o", path)
            self.assertEqual(self.outside(), [])
            self.fails(result, path, WHY)
        result = self.run_program("report", "make", "--state", "state", "--day", "2026-11-20",
                                  "-o", "state/again.json")
        self.assertEqual(result.status, 0, result.err)
        self.assertTrue(os.path.exists(self.path("state/again.json")))

    def test_links_above(self):
        """The operator's own are followed: to the state directory, and elsewhere."""
        os.symlink(self.path("state"), self.path("name"))
        os.symlink(self.path("outside"), self.path("elsewhere"))
        service = self.watch("--metrics", "elsewhere/metrics", "--findings", "name/door/findings",
                             "--flows", "name/../flows")
        service.stop()
        self.assertEqual(self.outside(), ["metrics"])
        self.assertTrue(os.path.exists(self.path("state/door/findings")))
        self.assertTrue(os.path.exists(self.path("flows")))


if __name__ == "__main__":
    live.main()

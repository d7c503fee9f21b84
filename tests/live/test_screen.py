"""What is shown on a terminal, and that the terminal is left as it was."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import live
import program
from live import Live
from program import documented, wrong_direction


class Screen(Live):
    def open(self, *args, rows=50, term="xterm", env=None):
        try:
            self.master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo terminal can be opened here (/dev/pts): {error}")
        self.addCleanup(os.close, self.master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 120, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.addCleanup(os.close, slave)
        self.seen = ""
        self.process = subprocess.Popen([program.PROGRAM, *self.watch_args("-i", "a0", *args)],
                                        cwd=self.dir, stdin=slave, stdout=slave, stderr=slave,
                                        env={**os.environ, "TERM": term, **(env or {})}, start_new_session=True)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def read(self, seconds=0.2):
        end = time.monotonic() + seconds
        while select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                break
        return self.seen

    def wait(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.read()):
            self.assertLess(time.monotonic(), end, self.seen)

    def end(self):
        self.read()
        self.assertEqual(self.process.wait(timeout=10), 0, self.seen)
        self.read()
        self.assertEqual(termios.tcgetattr(self.slave), self.before)
        self.assertNotIn("Sanitizer", self.seen)

    def test_picture(self):
        self.open("--state", "state")
        self.wait("packets/s")
        self.send_frames(documented() + wrong_direction())
        self.wait(r"wrong-direction F-[0-9a-f]+")
        self.wait(r"internal\.1\.\d+")
        self.assertIn("a0", self.seen)
        self.assertIn("high", self.seen)
        os.write(self.master, b"q")
        self.end()
        # the messages of all processes stand on the terminal, behind the picture
        self.assertRegex(self.seen[self.seen.rindex("\x1b[?1049l"):], r"state/\S*reports/\S+: ")

    def test_message(self):
        """What another process says does not spoil the picture, but stands in it."""
        self.open()
        self.wait("packets/s")
        live.ip("link", "set", "b0", "down")
        self.wait("packets/s")
        time.sleep(1.5)
        live.ip("link", "set", "b0", "up")
        self.wait("nothing seen from")
        self.process.send_signal(signal.SIGTERM)
        self.end()

    def test_resize(self):
        self.open()
        self.wait("packets/s")
        for rows, columns in (3, 10), (1, 1), (200, 300), (24, 80):
            fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            self.process.send_signal(signal.SIGWINCH)
            self.read(0.3)
        self.seen = ""
        self.send_frames(documented())
        self.wait(r"\d")
        os.write(self.master, b"q")
        self.end()

    def test_unknown_terminal(self):
        # the library of terminals gives up without giving back
        self.open(term="no-such-terminal", env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.read(3)
        self.assertEqual(self.process.wait(timeout=10), 2, self.read(1))
        self.assertIn("TERM", self.read())

    def test_no_terminal(self):
        service = self.start("-i", "a0")
        service.stop()
        self.assertNotIn("\x1b", service.said())


if __name__ == "__main__":
    live.main()

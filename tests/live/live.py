"""What the tests of the service share: a network of their own, and a service in it.

A wire is a pair of interfaces: what is sent on the one is received on the other, where the
service listens.  Nothing else is on it.  Everything is in a network namespace that ends
with the test, and needs root: the service is to become another user.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

import jsonschema

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
import program  # noqa: E402

USER = "nobody"
LEFT_OUT = 77  # what ctest takes for a test that was skipped
SEND = "live_send"


def leave_out(why):
    print("left out: the tests of the service;", why)
    sys.exit(LEFT_OUT)


def network():
    """A namespace of our own, in which nobody speaks."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        leave_out("they want root, who can become another user")
    if libc.unshare(0x40000000) != 0:
        leave_out("no network namespace can be made here: "
                  + os.strerror(ctypes.get_errno()))
    with contextlib.suppress(OSError), \
            open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as f:
        f.write("1")
    ip("link", "set", "lo", "up")
    try:
        ip("link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        ip("link", "del", "probe0")
    except subprocess.CalledProcessError:
        leave_out("this kernel makes no veth interfaces")


def main():
    """FILE PROGRAM SOURCE SEND [unittest arguments]."""
    global SEND
    if len(sys.argv) < 4:
        sys.exit("usage: %s PROGRAM SOURCE SEND [TEST...]" % sys.argv[0])
    SEND = os.path.abspath(sys.argv.pop(3))
    network()
    program.main()


def ip(*args):
    subprocess.run(["ip", *args], check=True, stderr=subprocess.PIPE)


def wire(near, far):
    ip("link", "add", near, "type", "veth", "peer", "name", far)
    ip("link", "set", near, "up")
    ip("link", "set", far, "up")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(n) for n in f.read().split()]


def wait_gone(pid, seconds=20):
    """Until a process is no more, or has nothing of what it had."""
    end = time.monotonic() + seconds
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while status_of(pid)["State"][0] != "Z":
            assert time.monotonic() < end, "process %d is there still" % pid
            time.sleep(0.02)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


class Manager:
    """The service manager's end of sd_notify."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.told = []

    def wait(self, word, seconds=20):
        """Until a message has that line; the message's lines."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                break
            lines = self.socket.recv(4096).decode().split("\n")
            self.told.append(lines)
            if any(line.startswith(word) for line in lines):
                return lines
        raise AssertionError(f"nobody said {word}: {self.told}")

    def close(self):
        self.socket.close()


class Service:
    """`lyncaudit watch`, from its start to its end."""

    def __init__(self, case, *args, watchdog=None, env=None, wrap=()):
        self.case = case
        self.log = case.path("messages")
        self.manager = Manager(case.path("notify-%d" % time.monotonic_ns()))
        case.addCleanup(self.manager.close)
        more = {"NOTIFY_SOCKET": self.manager.path, **(env or {})}
        if watchdog is not None:
            more["WATCHDOG_USEC"] = str(watchdog)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*wrap, program.PROGRAM, *case.watch_args(*args)], cwd=case.dir, stderr=log, stdout=log,
                stdin=subprocess.DEVNULL, env={**os.environ, **more})
        case.addCleanup(self.kill)
        try:
            self.manager.wait("READY=1")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.said()}") from None

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def wait_said(self, text, seconds=20, times=1):
        end = time.monotonic() + seconds
        while self.said().count(text) < times:
            if time.monotonic() > end:
                raise AssertionError(f"it did not say {text!r}:\n{self.said()}")
            time.sleep(0.05)

    def sensor(self):
        """The process that sees packets: the last child."""
        return children(self.process.pid)[-1]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=5):
        """Ask it to, and see that it does in time; how long it took."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        took = time.monotonic() - began
        self.case.assertEqual(status, 0, self.said())
        self.case.assertNotIn("Sanitizer", self.said())
        self.case.assertLess(took, seconds, self.said())
        return took

    def kill(self):
        others = children(self.process.pid) if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in others:
            wait_gone(pid)  # it has the lock until then
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.manager.path)


class Live(program.Case):
    """A test with a folder and the wire a0-b0."""
    LINES = None  # the schema of the lines that a case reads, and their file's usual name

    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)
        wire("a0", "b0")
        self.addCleanup(self.cut, "a0")

    def cut(self, name):
        subprocess.run(["ip", "link", "del", name], check=False, stderr=subprocess.DEVNULL)

    def watch_args(self, *args):
        return ["watch", "-s", self.site, "--rules", self.rules, "--user", USER, *args]

    def start(self, *args, **more):
        return Service(self, *args, **more)

    def plain(self, capture):
        """A capture of the lab as plain pcap, which is what `send` reads."""
        path = self.path(os.path.basename(capture) + ".pcap")
        subprocess.run(["tcpdump", "-r", capture, "-w", path], check=True,
                       stderr=subprocess.DEVNULL)
        return path

    def send(self, capture, *options, on="b0"):
        """Send the frames of a plain pcap file; what `send` says of it."""
        done = subprocess.run([SEND, *options, on, capture], check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def send_frames(self, frames, on="b0", pause=0.0):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((on, 0))
            for frame in frames:
                s.send(frame.ljust(60, b"\0"))
                time.sleep(pause)

    def valid(self, name, value):
        """The value, which must be what docs/schema says."""
        with open(program.source("docs", "schema", name + ".schema.json"), encoding="utf-8") as f:
            jsonschema.Draft7Validator(json.load(f)).validate(value)
        return value

    def lines(self, name=None):
        """A file of JSON lines, each of which its schema allows; one that is not there is empty."""
        name = name or self.LINES
        if not os.path.exists(self.path(name)):
            return []
        return [self.valid(self.LINES, json.loads(line)) for line in self.read(name).splitlines()]

    def wait_lines(self, count, name=None, seconds=15):
        end = time.monotonic() + seconds
        while len(self.lines(name)) < count:
            self.assertLess(time.monotonic(), end, self.lines(name))
            time.sleep(0.05)
        return self.lines(name)

    def report(self, name="report.json"):
        return self.valid("report", super().report(name))

    def limits(self, kind, report="report.json"):
        return [limit for limit in self.report(report)["validity"]["limits"]
                if limit["kind"] == kind]


def times_apart(report):
    """A report without what depends on when its packets came."""
    return {"findings": [{k: f[k] for k in ("id", "type", "severity", "grade", "basis", "flows",
                                            "packets", "bytes", "ports", "rules", "what", "why",
                                            "fix")} for f in report["findings"]],
            "coverage": [{k: c[k] for k in ("rule", "status", "flows", "packets", "bytes")}
                         for c in report["coverage"]],
            "summary": report["summary"], "matrix": report["matrix"], "snat": report["snat"],
            "malformed": report["capture"]["malformed"],
            "counts": [report["capture"][k] for k in ("packets", "bytes", "not_ip",
                                                      "not_tcp_udp", "duplicates")]}

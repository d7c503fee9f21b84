"""What the tests of the program share: running it, and making captures for it.

The program and the source folder come as the first two arguments of each test
(tests.cmake); what is left goes to unittest.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ.get("LYNCAUDIT", "lyncaudit")
SOURCE = os.environ.get("LYNCAUDIT_SOURCE", ".")


def source(*parts):
    return os.path.join(SOURCE, *parts)


def main():
    """Run the tests of the calling file: FILE PROGRAM SOURCE [unittest arguments]."""
    global PROGRAM, SOURCE
    if len(sys.argv) < 3:
        sys.exit("usage: %s PROGRAM SOURCE [TEST...]" % sys.argv[0])
    PROGRAM, SOURCE = (os.path.abspath(a) for a in sys.argv[1:3])
    unittest.main(module="__main__", argv=sys.argv[:1] + sys.argv[3:], verbosity=2)


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Case(unittest.TestCase):
    """A test with a folder of its own; the folder is the working directory of what it runs."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="lyncaudit-cli-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.site = source("docs", "examples", "site.json")
        self.rules = source("rules", "lync-server-2013")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        if isinstance(data, str):
            data = data.encode()
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def report(self, name="report.json"):
        return json.loads(self.read(name))

    def run_program(self, *args, data=None, wrap=(), env=None):
        """Run and wait.  wrap: a command that starts the program, as setpriv does."""
        done = subprocess.run([*wrap, PROGRAM, *args], input=data if data is not None else b"",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.dir,
                              timeout=110, env={**os.environ, **(env or {})}, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def audit_args(self, *args, site=None, rules=None):
        return ["audit", "-s", site or self.site, "--rules", rules or self.rules, *args]

    def audit(self, *args, site=None, rules=None, **more):
        return self.run_program(*self.audit_args(*args, site=site, rules=rules), **more)

    def fails(self, result, *texts, status=2):
        """The status, every text on standard error, and nothing that looks like a crash."""
        self.assertEqual(result.status, status, result.err)
        for text in texts:
            self.assertIn(text, result.err)
        self.assertNotIn("Sanitizer", result.err)

    def need_nameless_files(self):
        try:
            os.close(os.open(self.dir, os.O_TMPFILE | os.O_WRONLY, 0o600))
        except OSError as why:
            self.skipTest("a file without a name cannot be made here (O_TMPFILE): %s" % why)

    def names(self):
        return sorted(os.listdir(self.dir))


# ---- captures ---------------------------------------------------------------

FRONT_END, CLIENT, PROXY = "10.2.0.11", "10.20.0.5", "10.1.0.41"
FIN, SYN, ACK, PUSH = 1, 2, 16, 8
START = 1795262400  # 2026-11-21T12:00:00Z


def ip_bytes(text):
    return bytes(int(part) for part in text.split("."))


def tcp_frame(src, sport, dst, dport, flags, seq, ack, payload=b""):
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
    return (b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + ip_bytes(src) + ip_bytes(dst) + tcp)


def datagram(src, sport, dst, dport, payload, ip_id=1, fragment=0):
    udp = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), ip_id, fragment, 64, 17, 0)
    return (b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + ip_bytes(src) + ip_bytes(dst) + udp)


def tcp_flow(src, sport, dst, dport, payload=b""):
    """A connection that is opened, used and closed."""
    there, back = (src, sport, dst, dport), (dst, dport, src, sport)
    frames = [tcp_frame(*there, SYN, 100, 0), tcp_frame(*back, SYN | ACK, 900, 101),
              tcp_frame(*there, ACK, 101, 901)]
    if payload:
        frames.append(tcp_frame(*there, ACK | PUSH, 101, 901, payload))
    end = 101 + len(payload)
    return frames + [tcp_frame(*there, ACK | FIN, end, 901), tcp_frame(*back, ACK | FIN, 901, end + 1),
                     tcp_frame(*there, ACK, end + 1, 902)]


def documented():
    """internal.1.12: a client to a front-end."""
    return tcp_flow(CLIENT, 40000, FRONT_END, 443)


def wrong_direction():
    """Against rproxy.2.2: severity high."""
    return tcp_flow(FRONT_END, 40000, PROXY, 4443)


def pcap(frames, link=1, start=START, per_second=100):
    parts = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)]
    for i, frame in enumerate(frames):
        parts += [struct.pack("<IIII", start + i // per_second,
                              i % per_second * (1000000 // per_second), len(frame), len(frame)), frame]
    return b"".join(parts)

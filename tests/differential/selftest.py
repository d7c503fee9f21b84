#!/usr/bin/env python3
"""compare.py, applications.py and placed.py see what they are there to see.

usage: selftest.py PROGRAM CAPTURE SPOKEN

SPOKEN is a capture with flows of TLS, HTTP, RTP and of no known protocol.

Puts programs in the place of PROGRAM that run it and then spoil what it wrote, or
that end as no audit should, and demands that the scripts fail on each of them and on
none that is sound.  Exit status 77 when tshark is missing: then only crashes can be
seen.
"""

import os
import stat
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import tshark  # noqa: E402

STAND_IN = """#!%(python)s
import json, os, signal, subprocess, sys, time
argv = [%(program)r] + sys.argv[1:]
if "--flows" not in argv:
    os.execv(argv[0], argv)
flows = argv[argv.index("--flows") + 1]
report = argv[argv.index("-o") + 1]
status = subprocess.call(argv)
with open(flows) as f:
    lines = [json.loads(line) for line in f]
with open(report) as f:
    said = json.load(f)
def flow(application):
    return next(line for line in lines if line["application"] == application)
%(spoil)s
with open(flows, "w") as f:
    f.writelines(json.dumps(line) + "\\n" for line in lines)
with open(report, "w") as f:
    json.dump(said, f)
sys.exit(status)
"""

# (name, what is done, whether only the comparison can see it)
SPOILS = [
    ("a packet less", "lines[0]['packets'][0] -= 1", True),
    ("a byte more", "lines[-1]['bytes'][1] += 1", True),
    ("directions exchanged", "lines[0]['packets'].reverse(); lines[0]['bytes'].reverse()", True),
    ("a flow less", "del lines[1]", True),
    ("a flow twice", "lines.append(lines[0])", True),
    ("another port", "lines[0]['sport'] ^= 1", True),
    ("another transport", "lines[0]['transport'] = 'udp'", True),
    ("another address", "lines[0]['src'] = '192.0.2.77'", True),
    ("ports unknown", "lines[0]['sport'] = lines[0]['dport'] = None", True),
    ("a packet of the capture less", "said['capture']['packets'] -= 1", True),
    ("a crash", "os.kill(os.getpid(), signal.SIGSEGV)", False),
    ("a sanitizer's report", "print('ERROR: AddressSanitizer: x', file=sys.stderr)", False),
    ("undefined behaviour", "print('a.c:1:2: runtime error: x', file=sys.stderr)", False),
    ("an unknown exit status", "status = 4", False),
    ("a hang", "time.sleep(60)", False),
]
APPLICATION_SPOILS = [
    ("TLS unknown", "flow('tls')['application'] = 'unknown'"),
    ("HTTP without payload", "flow('http')['application'] = None"),
    ("HTTP called SIP", "flow('http')['application'] = 'sip'"),
    ("TLS called XMPP", "flow('tls')['application'] = 'xmpp'"),
    ("RTP called STUN", "flow('rtp')['application'] = 'stun'"),
    ("the unknown called SSH", "flow('unknown')['application'] = 'ssh'"),
    ("a crash", "os.kill(os.getpid(), signal.SIGSEGV)"),
]
PLACED_SPOILS = [
    ("no finding at all", "for line in lines: line['findings'] = []"),
    ("a finding everywhere", "said['findings'].append({'id': 'F', 'type': 'protocol-mismatch'})\n"
                             "for line in lines: line['findings'].append('F')"),
    ("another finding", "for f in said['findings']: f['type'] = {'cleartext': 'protocol-mismatch'}"
                        ".get(f['type'], f['type'])"),
    ("not documented", "for line in lines: line['verdict'] = 'unexpected-port'"),
]


def run(program, *arguments, script="compare.py"):
    """Exit status and output of a script."""
    argv = [sys.executable, os.path.join(HERE, script), "--program", program, *arguments]
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       timeout=120)
    return p.returncode, p.stdout


def write_stand_in(path, program, spoil):
    with open(path, "w") as f:
        f.write(STAND_IN % {"python": sys.executable, "program": program, "spoil": spoil})
    os.chmod(path, stat.S_IRWXU)


FURTHER = {"applications.py": APPLICATION_SPOILS, "placed.py": PLACED_SPOILS}


def main(program, capture, spoken):
    compares = tshark.available()
    faults = 0

    def want(what, status, got):
        nonlocal faults
        if got[0] != status:
            faults += 1
            print("%s: exit status %d instead of %d\n%s" % (what, got[0], status, got[1]))

    want("nothing wrong", 0 if compares else 77, run(program, capture))
    want("nothing wrong, and no tshark", 0, run(program, capture, "--without-tshark"))
    want("no capture, by name", 1, run(program, __file__))
    with tempfile.TemporaryDirectory() as folder:
        stand_in = os.path.join(folder, "stand-in")
        for name, spoil, by_comparison in SPOILS:
            write_stand_in(stand_in, program, spoil)
            if by_comparison and compares:
                want(name, 1, run(stand_in, capture))
            elif not by_comparison:  # a tenth of the usual time: one second
                want(name, 1, run(stand_in, capture, "--without-tshark", "--slow", "0.1"))
        for script, spoils in FURTHER.items() if compares else ():
            for name, spoil in spoils:
                write_stand_in(stand_in, program, spoil)
                want("%s, %s" % (script, name), 1, run(stand_in, spoken, script=script))
            want(script, 0, run(program, spoken, script=script))
    print("differential selftest: %d ways to be wrong, %d not seen"
          % (len(SPOILS) + sum(len(s) for s in FURTHER.values()), faults))
    if faults:
        return 1
    if not compares:
        print("tshark is not installed: what only a comparison shows was left out")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))

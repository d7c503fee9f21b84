"""Load balancers that are programs of their own: haproxy, and IPVS where the kernel has it."""

import os
import subprocess

from netlab import PREFIX, nft, run

HAPROXY = """
global
  nbthread 1
defaults
  mode tcp
  timeout connect 2s
  timeout client 10s
  timeout server 10s
"""


def start(servers, svcs):
    """Have them balance the services that are theirs."""
    for ns in sorted({s.ns for s in svcs if s.by == "haproxy"}):
        haproxy(servers, ns, [s for s in svcs if s.by == "haproxy" and s.ns == ns])
    mine = [s for s in svcs if s.by == "ipvs"]
    for ns in sorted({s.ns for s in mine}):
        run("ip", "netns", "exec", PREFIX + ns, "ipvsadm", "-C")
    for s in mine:
        ipvs(s)


def haproxy(servers, ns, svcs):
    """A connection of its own to the member; the client's address only by TPROXY."""
    path = os.path.join(servers.work, "haproxy-%s.cfg" % ns)
    with open(path, "w") as f:
        f.write(HAPROXY + "".join(_section(s, port) for s in svcs for port in s.ports))
    if any(s.keeps for s in svcs):
        transparent(ns)
    servers.spawn(ns, ["haproxy", "-f", path], passing=True)
    for s in svcs:
        servers.wait(ns, s.vip, s.ports[-1])


def _section(s, port):
    name = "%s_%d" % (s.vip, port)
    text = "frontend %s\n  bind %s:%d\n" % (name, s.vip, port)
    text += "  use_backend %s_odd if { src_port,and(1) eq 1 }\n" % name
    text += "  default_backend %s_even\n" % name
    for word, node in (("odd", s.members[0]), ("even", s.members[-1])):
        text += "backend %s_%s\n  server node %s:%d source %s\n" % (
            name, word, node, port, _source(s, node))
    return text


def _source(s, node):
    if s.keeps:
        return "0.0.0.0 usesrc " + ("client" if s.keeps == "all" else "clientip")
    return "%s:%d-%d" % (s.snat, s.next_port[node], s.next_port[node] + 99)


def monitor(servers, ns, looks):
    """haproxy looks whether servers live: (address, port, how it checks, source) each."""
    path = os.path.join(servers.work, "monitor-%s.cfg" % ns)
    with open(path, "w") as f:
        f.write(HAPROXY + "frontend unused\n  bind 127.0.0.1:9\n")
        for n, (node, port, check, source) in enumerate(looks):
            option, words = CHECKS[check]
            f.write("backend look_%d\n%s  server node %s:%d source %s check inter 400 %s\n"
                    % (n, option, node, port, source, words))
    return servers.spawn(ns, ["haproxy", "-f", path], passing=True)


# how haproxy checks: lines of the backend, words of the server
CHECKS = {
    "connect": ("", ""),
    "tls": ("", "check-ssl verify none"),
    "hello": ("  option ssl-hello-chk\n", ""),
    "head": ("  option httpchk HEAD /status\n", ""),
    "https": ("  option httpchk GET /status\n", "check-ssl verify none"),
}


def transparent(ns):
    """What comes back to a client's address belongs to the proxy's socket."""
    nft(ns, """
table ip back
delete table ip back
table ip back {
 chain pre { type filter hook prerouting priority -150
  meta l4proto tcp socket transparent 1 meta mark set 1
 }
}
""")
    ip = ["ip", "-n", PREFIX + ns]
    if "fwmark" not in run(*ip, "rule", "list"):
        run(*ip, "rule", "add", "fwmark", "1", "table", "100")
        run(*ip, "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "100")


# ---- IPVS ------------------------------------------------------------------------

def ipvs_missing():
    """What this machine lacks for it, or None."""
    if subprocess.run(["sh", "-c", "command -v ipvsadm"], stdout=subprocess.DEVNULL,
                      check=False).returncode != 0:
        return "the package ipvsadm is not installed"
    p = subprocess.run(["ipvsadm", "-L", "-n"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
    return None if p.returncode == 0 else "the kernel has no IPVS"


def ipvs(s):
    """Translate the destination, as nft does; the scheduler knows nothing of odd ports."""
    kind = "-t" if s.transport == "tcp" else "-u"
    for port in s.ports:
        where = "%s:%d" % (s.vip, port)
        run("ip", "netns", "exec", PREFIX + s.ns, "ipvsadm", "-A", kind, where, "-s", "rr")
        run("ip", "netns", "exec", PREFIX + s.ns, "ipvsadm", "-a", kind, where, "-r",
            "%s:%d" % (s.members[0], port), "-m")

"""Servers of one capture: openssl and nginx as TLS may be, prosody, Samba, kamailio."""

import os
import re
import subprocess
import tempfile

from netlab import ADDRESS_NS, PREFIX, run

OLD = ["-cipher", "DEFAULT@SECLEVEL=0"]  # TLS 1.0 and 1.1 sign with SHA-1

VERSIONS = {"1.0": ["-tls1"] + OLD, "1.1": ["-tls1_1"] + OLD, "1.2": ["-tls1_2"],
            "1.3": ["-tls1_3"]}


def asking(servers):
    """A server that asks for a certificate, and takes an empty answer."""
    return ["-CAfile", servers.pem("ca") + ".crt", "-verify", "2"]


def issuers(servers, n=250):
    """So many authorities, as a Windows server trusts them, and the lab's own: one file."""
    path = servers.pem("issuers") + ".crt"
    if os.path.exists(path):
        return path
    key = servers.pem("issuers") + ".key"
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    with open(path, "w") as f:
        for i in range(n):
            f.write(run("openssl", "req", "-x509", "-key", key, "-days", "30", "-subj",
                        "/C=XX/O=Trust Services Example %03d/OU=Class 3 Public Primary "
                        "Certification Authority/CN=Root %03d" % (i, i)))
        with open(servers.pem("ca") + ".crt") as ca:
            f.write(ca.read())
    return path


def stranger(servers):
    """A certificate that nobody signed but itself."""
    base = servers.pem("stranger")
    if not os.path.exists(base + ".crt"):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            "/CN=stranger.example", "-keyout", base + ".key", "-out", base + ".crt")
    return base


def nginx(servers, ns, addr):
    """Web components at 8060, where a certificate is asked for, and at 8061, where not."""
    tls = "ssl_certificate %s.crt; ssl_certificate_key %s.key; ssl_protocols TLSv1.2;" % (
        servers.pem(ns), servers.pem(ns))
    ask = "ssl_client_certificate %s.crt; ssl_verify_client optional;" % servers.pem("ca")
    servers.nginx(ns, "".join("""
server {
  listen %s:%d ssl; %s %s
  ssl_session_cache shared:%s:1m; ssl_session_tickets %s;
  location / { return 200 'contoso lab web\\n'; }
}""" % (addr, port, tls, more, name, tickets)
        for port, more, name, tickets in ((8060, ask, "asks", "off"), (8061, "", "open", "on"))),
        passing=True)
    servers.wait(ns, addr, 8061)


# ---- prosody -------------------------------------------------------------------------

PROSODY = """
run_as_root = true
data_path = "%(dir)s"
pidfile = "%(dir)s/pid"
admin_socket = "%(dir)s/socket"
certificates = "%(dir)s"
log = "%(dir)s/log"
modules_enabled = { %(modules)s, "ping", "admin_shell" }
modules_disabled = { "c2s", "s2s_bidi", "offline", "posix" }
c2s_ports = { }
s2s_ports = { %(plain)s }
s2s_direct_tls_ports = { %(direct)s }
interfaces = { "%(addr)s" }
s2s_require_encryption = %(secure)s
s2s_secure_auth = %(secure)s
ssl = { protocol = "tlsv1_2", key = "%(pem)s.key", certificate = "%(pem)s.crt",
        cafile = "%(ca)s.crt" }
VirtualHost "%(domain)s"
"""


class Prosody:
    """An XMPP server that finds one other domain: at SRV, by DNS in its own namespace.

    how: "starttls" (proven by certificates), "clear" (by dialback), "direct" (TLS from the
    first byte).
    """

    def __init__(self, servers, ns, addr, port, domain, how, other=None, at=None):
        self.servers, self.ns, self.domain, self.other = servers, ns, domain, other
        self.dir = tempfile.mkdtemp(prefix="prosody-" + ns, dir=servers.work)
        self.config = self.dir + "/prosody.cfg.lua"
        servers.certificate(domain, [domain])
        with open(self.config, "w") as f:
            f.write(PROSODY % {
                "dir": self.dir, "addr": addr, "domain": domain, "pem": servers.pem(domain),
                "ca": servers.pem("ca"), "plain": port if how != "direct" else "",
                "direct": port if how == "direct" else "",
                "secure": "false" if how == "clear" else "true",
                "modules": '"dialback"' if how == "clear" else '"tls", "saslauth"'})
        self._names(how, at)
        servers.spawn(ns, self._seeing(["prosody", "-F", "--config", self.config]), passing=True)
        servers.wait(ns, addr, port)

    def _names(self, how, at):
        """DNS of its own, on the loopback."""
        service = "_xmpps-server" if how == "direct" else "_xmpp-server"
        argv = ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--pid-file=",
                "-u", "root", "--bind-interfaces", "--listen-address=127.0.0.1"]
        if self.other:
            argv += ["--srv-host=%s._tcp.%s,xmpp.%s,%d" % (service, self.other, self.other, at[1]),
                     "--host-record=xmpp.%s,%s" % (self.other, at[0])]
        self.servers.spawn(self.ns, argv, passing=True)
        with open(self.dir + "/resolv.conf", "w") as f:
            f.write("nameserver 127.0.0.1\n")

    def _seeing(self, argv):
        """The program with that name server; the mount is the program's alone."""
        return ["sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                self.dir + "/resolv.conf"] + argv

    def ping(self, answered=True):
        """From this domain to the other one, which may have no way back."""
        argv = ["prosodyctl", "--config", self.config, "shell", "xmpp", "ping", self.domain,
                self.other]
        try:
            p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               timeout=20 if answered else 4, check=False)
        except subprocess.TimeoutExpired:
            if not answered:
                return
            raise
        if answered and "pong" not in p.stdout.lower():
            raise RuntimeError("prosody of %s: %s" % (self.domain, p.stdout[-600:]))


# ---- Samba ---------------------------------------------------------------------------------

SAMBA = """
[global]
 server role = standalone server
 netbios name = %(ns)s
 interfaces = %(addr)s/32
 bind interfaces only = yes
 disable netbios = yes
 smb ports = 445
 server min protocol = NT1
 client min protocol = NT1
 private dir = %(dir)s
 state directory = %(dir)s
 cache directory = %(dir)s
 lock directory = %(dir)s
 pid directory = %(dir)s
 ncalrpc dir = %(dir)s/ncalrpc
 log file = %(dir)s/log.%%m
 map to guest = bad user
 guest account = root
 load printers = no
 printcap name = /dev/null
 rpc start on demand helpers = false
 %(ports)s
[replica]
 path = %(dir)s/replica
 guest ok = yes
 read only = no
"""

DCERPCD = "/usr/libexec/samba/samba-dcerpcd"


class Samba:
    """Files at 445, the endpoint mapper at 135, and what it hands out.

    ports: of the range that dynamic ports come from; None: the usual one.
    """

    def __init__(self, servers, addr, ports=None):
        self.addr, ns = addr, ADDRESS_NS[addr]
        self.dir = tempfile.mkdtemp(prefix="samba-" + ns, dir=servers.work)
        self.config = self.dir + "/smb.conf"
        os.makedirs(self.dir + "/replica")
        os.makedirs(self.dir + "/ncalrpc")
        with open(self.dir + "/replica/topology", "w") as f:
            f.write("what the Central Management Store says\n" * 40)
        with open(self.config, "w") as f:
            f.write(SAMBA % {"ns": ns, "addr": addr, "dir": self.dir, "ports":
                             "rpc server dynamic port range = %d-%d" % ports if ports else ""})
        quiet = ["-F", "--no-process-group", "-s", self.config]
        servers.spawn(ns, ["smbd"] + quiet, passing=True)
        servers.wait(ns, addr, 445)
        servers.spawn(ns, [DCERPCD, "--libexec-rpcds"] + quiet, passing=True)
        servers.wait(ns, addr, 135)

    def fetch(self, who, dialect):
        """A client reads a file and writes one."""
        self._run(who, "smbclient", "-m", dialect, "//%s/replica" % self.addr, "-c",
                  "get topology /dev/null; put %s status" % (self.dir + "/replica/topology"))

    def ask(self, who):
        """A client asks the mapper, and then what server this is."""
        return self._run(who, "rpcclient", "-d", "4", "ncacn_ip_tcp:" + self.addr, "-c",
                         "srvinfo")

    def port(self):
        """Where the mapper sends whoever asks; asked from the same host, off the wire."""
        return int(re.findall(r"Connecting to \S+ at port (\d+)", self.ask(self.addr))[-1])

    def _run(self, who, program, *argv):
        return run("ip", "netns", "exec", PREFIX + ADDRESS_NS[who], program, "-s", self.config,
                   "-N", *argv)


# ---- kamailio ------------------------------------------------------------------------------

KAMAILIO = """#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=2
dns=no
rev_dns=no
auto_aliases=no
enable_tls=yes
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "tls.so"
modparam("tls", "config", "%(dir)s/tls.cfg")
%(listen)s
request_route {
  %(relay)s
  if (is_method("ACK")) exit;
  sl_send_reply("200", "OK");
}
"""

KAMAILIO_TLS = """[%(side)s:default]
method = TLSv1.2
private_key = %(pem)s.key
certificate = %(pem)s.crt
ca_list = %(ca)s.crt
verify_certificate = %(verify)s
require_certificate = no
"""


class Kamailio:
    """A SIP server that answers everything, or passes it on.

    listens: such as "tls:10.2.0.31:5067"; to: "ADDRESS:PORT;transport=tls", whom what comes
    in is passed on to, from the last of them.
    """

    def __init__(self, servers, ns, listens, to=None):
        self.dir = tempfile.mkdtemp(prefix="kamailio-" + ns, dir=servers.work)
        relay = '$du = "sip:%s"; $fs = "%s"; t_relay(); exit;' % (to, listens[-1]) if to else ""
        with open(self.dir + "/kamailio.cfg", "w") as f:
            f.write(KAMAILIO % {"dir": self.dir, "relay": relay,
                                "listen": "\n".join("listen=" + x for x in listens)})
        with open(self.dir + "/tls.cfg", "w") as f:
            for side, verify in (("server", "yes"), ("client", "no")):
                f.write(KAMAILIO_TLS % {"side": side, "verify": verify, "pem": servers.pem(ns),
                                        "ca": servers.pem("ca")})
        servers.spawn(ns, ["kamailio", "-DD", "-E", "-f", self.dir + "/kamailio.cfg", "-Y",
                           self.dir, "-P", self.dir + "/pid", "-m", "32", "-M", "8"],
                      passing=True)
        for where in listens:
            _, addr, port = where.split(":")
            servers.wait(ns, addr, int(port))

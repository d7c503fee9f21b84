"""Open connections in the lab, and write down what each of them is.

Every opener writes its truth line before the first packet leaves: what flow the
wire will show (one line a leg), and which verdict the documents demand for it.
The verdict is stated by the caller, who has the documents in mind; nothing here
knows lyncaudit or its rules.

A truth line:

  capture    which capture
  conn       number of the connection; the legs of one connection share it
  transport, src, sport, dst, dport
             the flow, src being who opened it; sport is null where a program
             picked it, dport is null where it cannot be known from the capture
  either     true where the documents and the wire do not say who opened it
  count      how many such flows (1 unless a program opens several; 0: one or more)
  verdict    what the documents demand
  rules      rows that must be among those cited
  cited      true where some row must be cited, whichever
  leg        null, "balanced", "probe", or "*" where a row allows the leg by itself too
  waiver     id of the site exception, or null
  findings   types that the flow must raise, no others
  later      types that belong to checks beyond the verdicts (blocked-flow and
             its kind): they may be raised
  nearest    rows of which one must be named as nearest, or null
  tail       true where the later fragments of its datagrams may be a flow of their own,
             which names no ports
  speaks     the protocol that its payload is, by the flow log's name, or "none" where
             there is no payload; null where the bytes leave it open
  shows      kinds of evidence that the flow gives to its finding about the A/V Edge,
             or null
  level      "observed" where they prove nothing yet, else null
  places     the same keys where it counts what the site says of the sensor's place
  gives      what its av-edge-relay must name: "relay" or "alternate" as [address, first and
             last port], or null
  mutual     how its mutual TLS must be counted, where that is due
  child      true where an endpoint mapper must have named its port
  states     TCP states that are right
  basis      what the initiator must be known from, or null
  strict     the same keys where --strict changes them
  why        the reading, in a few words
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import time

import balancers
import msturn
import programs
from netlab import ADDRESS_NS, PREFIX, family, inside

HTTPS = (443, 4443, 444)

# Servers that the lab has started before any capture.
STANDING = ("nginx", "coturn", "msturn", "tls443", "samba", "dns", "dhcp", "web")

# What the payload is, by the kind of server that answers it.
SPEAKS = {"tls": "tls", "tls443": "tls", "coturn": "stun", "stun": "stun", "dns": "dns",
          "dhcp": "dhcp", "sip": "sip", "rpc": "dcerpc", "samba": "dcerpc", "smb": "smb",
          "ssrp": "ssrp", "xmpp": "xmpp", "web": "http", "http": "http", "echo": "unknown",
          "ntp": "unknown", "file": "unknown", "rtp": "rtp"}

SAID = ["closed", "established", "reset"]


def doc(*rules, leg=None, **more):
    return dict({"verdict": "documented", "rules": list(rules), "leg": leg, "findings": []},
                **more)


def off(feature, *rules, leg=None, **more):
    """Documented, by rows of a feature that the site does not list."""
    return dict({"verdict": "documented", "rules": list(rules), "leg": leg,
                 "findings": ["feature-not-deployed"],
                 "why": "only rows of the feature %s match" % feature}, **more)


def probe(row, **more):
    """A monitor's look; row is one that documents the port, which one is cited is open."""
    return dict({"verdict": "documented", "rules": [], "leg": "probe", "findings": [],
                 "cited": True, "why": "for example " + row}, **more)


def waived(exception, **more):
    return dict({"verdict": "waived", "rules": [], "waiver": exception, "findings": []}, **more)


def outside(**more):
    return dict({"verdict": "out-of-scope", "rules": [], "findings": []}, **more)


def bad(verdict, nearest=None, finding=None, **more):
    """Not documented; finding is the type that takes the plain one's place."""
    return dict({"verdict": verdict, "rules": [], "nearest": nearest and nearest.split(),
                 "findings": [finding or verdict]}, **more)


class Opener:
    """Opens the connections of one capture and keeps its truth file."""

    def __init__(self, servers, svcs, name, truth_path, first_port, place=None):
        self.servers = servers
        self.place = place
        self.services = {(s.vip, s.transport, p): s for s in svcs for p in s.ports}
        self.name = name
        self.truth = open(truth_path, "w")
        self.port = first_port
        self.conn = 0
        self.open_sockets = []
        self.speaks = None

    def close(self):
        for s in self.open_sockets:
            s.close()
        self.truth.close()

    def sport(self, odd=None):
        """The next source port, from the range Windows uses; never used twice.

        odd: choose the member of a pool by it.
        """
        self.port += 1
        if odd is not None and self.port % 2 != odd:
            self.port += 1
        return self.port

    def say(self, transport, src, sport, dst, dport, want, conn=None):
        line = {"capture": self.name, "conn": conn or self.conn, "transport": transport,
                "src": src, "sport": sport, "dst": dst, "dport": dport, "either": False,
                "count": 1, "cited": False, "leg": None, "waiver": None, "later": [],
                "nearest": None, "tail": False, "speaks": self.speaks, "shows": None,
                "level": None, "places": None, "gives": None, "mutual": None,
                "child": False,
                "states": SAID if transport == "tcp" else None,
                "basis": "syn" if transport == "tcp" else None, "strict": None, "why": None}
        line.update(want)
        if line.pop("no_ports", False):
            line["sport"] = line["dport"] = None
        self.truth.write(json.dumps(line) + "\n")
        self.truth.flush()

    def declare(self, transport, src, sport, dst, dport, want, leg):
        """Truth of a connection and of the leg that a balancer makes of it."""
        self.conn += 1
        svc = self.services.get((dst, transport, dport))
        if svc is None or self.place != "behind":
            self.say(transport, src, sport, dst, dport, want)
        if svc is None:
            return
        lsrc, lsport, ldst, lport = svc.leg(src, sport, dport)
        if leg is None:
            # Where the source is kept, a row may allow the leg by itself as well.
            leg = dict(want, leg="balanced" if svc.snat else "*")
        # What is answered from the real address is seen outside as well.
        if self.place != "outside" or svc.stateless:
            self.say(transport, lsrc, lsport, ldst, lport, leg)

    def seen(self, transport, src, sport, dst, dport, speaks, want):
        """A flow that somebody else makes of what is opened here: no leg of anything."""
        self.conn += 1
        self.speaks = speaks
        self.say(transport, src, sport, dst, dport, want)

    def listener(self, dst, dport, transport, server):
        if server is None:
            return
        svc = self.services.get((dst, transport, dport))
        for node in (dict.fromkeys(svc.members) if svc else [dst]):
            self.servers.ensure(node, dport, transport, server)

    # ---- TCP

    def tcp(self, src, dst, dport, want, leg=None, server="sip", talk=None, sport=None, cert=True,
            hold=False):
        """One TCP connection with a request and an answer in it.

        server: a kind of netlab.ANSWERS, "tls", "nginx", "coturn", "dns", or None
        (nobody listens).  cert: the client shows its certificate, when asked.
        hold: leave it open and return the socket.
        """
        sport = sport or self.sport()
        kind = None if server in STANDING else server
        self.listener(dst, dport, "tcp", kind)
        self.speaks = SPEAKS.get(server)
        if server == "nginx":
            self.speaks = "tls" if dport in HTTPS else "http"
        self.declare("tcp", src, sport, dst, dport, want, leg)
        if server in ("tls", "tls443"):
            return self._s_client(src, sport, dst, dport, cert)
        if server == "nginx":
            return self._curl(src, sport, dst, dport, talk)
        if server == "coturn":
            talk = talk or stun_binding()
        elif server == "dns":
            query = dns_query()
            talk = struct.pack("!H", len(query)) + query
        s = self._socket(src, sport, socket.SOCK_STREAM)
        try:
            s.connect((dst, dport))
            s.sendall(talk or REQUESTS.get(server, b"lab\r\n"))
            s.recv(4096)
        except OSError:
            if server is not None:
                raise
        if hold:
            self.open_sockets.append(s)
            return s
        s.close()
        time.sleep(0.01)
        return None

    def knock(self, src, dst, dport, want, leg=None, sport=None, wait=0.3):
        """A SYN that leads nowhere: refused, or dropped by a firewall."""
        sport = sport or self.sport()
        self.speaks = "none"
        self.declare("tcp", src, sport, dst, dport, want, leg)
        s = self._socket(src, sport, socket.SOCK_STREAM)
        s.settimeout(wait)
        try:
            s.connect((dst, dport))
        except OSError:
            return
        finally:
            s.close()
        raise RuntimeError("%s port %d was to be closed, and answers" % (dst, dport))

    def again(self, src, dst, dport, want, times, server="sip"):
        """The same two ends and ports several times over: reset, and opened anew."""
        sport = self.sport()
        self.listener(dst, dport, "tcp", server)
        self.speaks = SPEAKS[server]
        self.declare("tcp", src, sport, dst, dport, dict(want, count=times), None)
        for _ in range(times):
            s = self._socket(src, sport, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.connect((dst, dport))
            s.sendall(REQUESTS[server])
            s.recv(4096)
            s.close()
            time.sleep(0.05)

    def connect_only(self, src, dst, dport, want, server="sip", leg=None, sport=None):
        """What a balancer's monitor does: open, say nothing, close."""
        sport = sport or self.sport()
        self.listener(dst, dport, "tcp", None if server in STANDING else server)
        self.speaks = None  # some servers complain, others say nothing
        self.declare("tcp", src, sport, dst, dport, want, leg)
        s = self._socket(src, sport, socket.SOCK_STREAM)
        s.connect((dst, dport))
        s.close()
        time.sleep(0.02)

    def monitored(self, ns, looks, seconds=1.5):
        """A balancer's monitor: (address, port, how, source, what it is, speaks) each."""
        for node, port, _, source, want, speaks in looks:
            self.conn += 1
            self.speaks = speaks
            self.say("tcp", source, None, node, port, dict({"count": 0}, **want))
        p = balancers.monitor(self.servers, ns, [look[:4] for look in looks])
        time.sleep(seconds)
        self.servers.end(p)
        time.sleep(0.1)

    def tls_only(self, src, dst, dport, want):
        """A monitor's TLS handshake: no application data."""
        sport = self.sport()
        self.speaks = "tls"
        self.declare("tcp", src, sport, dst, dport, want, None)
        p = self._spawn_s_client(src, sport, dst, dport, False)
        time.sleep(0.25)
        p.stdin.close()
        p.wait(10)

    def hold_tls(self, src, dst, dport, want, sport=None):
        """A TLS connection that stays; say() on it later with more_tls()."""
        sport = sport or self.sport()
        self.listener(dst, dport, "tcp", "tls")
        self.speaks = None  # its hello lies before the capture
        self.declare("tcp", src, sport, dst, dport, want, None)
        p = self._spawn_s_client(src, sport, dst, dport, True)
        self.more_tls(p)
        return p

    @staticmethod
    def more_tls(p):
        p.stdin.write(LINE)
        p.stdin.flush()
        if not p.stdout.readline():
            raise RuntimeError("a held TLS connection is gone")

    def handshake(self, src, dst, dport, want, version, *more, cert=False, save=None, resume=None,
                  talk=None, answered=True):
        """openssl's client, as the caller says.  want None: before the capture.

        cert: True is the host's, a string another one's files; save, resume: the name of
        a session.  It must be resumed where it is offered.
        """
        sport = self.sport()
        self.speaks = "tls"
        if want is not None:
            self.declare("tcp", src, sport, dst, dport, want, None)
        session = os.path.join(self.servers.work, "session-")
        argv = programs.VERSIONS[version] + list(more)
        if cert:
            base = cert if isinstance(cert, str) else self.servers.pem(ADDRESS_NS[src])
            argv += ["-cert", base + ".crt", "-key", base + ".key"]
        argv += ["-sess_out", session + save] if save else []
        argv += ["-sess_in", session + resume] if resume else []
        p = self._openssl(src, sport, dst, dport, argv)
        said = self._ask(p, talk or LINE, b"HTTP/1.1 200" if talk else LINE[:-1][::-1])
        if answered != said[0] or (answered and (resume is not None) != (b"Reused, " in said[1])):
            raise RuntimeError("TLS %s to %s port %d: %s" % (src, dst, dport, said))

    @staticmethod
    def _ask(p, line, until):
        """Whether the answer came, and all that was printed."""
        p.stdin.write(line)
        p.stdin.flush()
        seen = b""
        while until not in seen:
            more = p.stdout.readline()
            if not more:
                break
            seen += more
        with contextlib.suppress(BrokenPipeError):
            p.stdin.close()
        p.wait(10)
        p.stdout.close()
        time.sleep(0.02)
        return until in seen, seen

    def asked_later(self, src, dst, dport, want, version):
        """The server asks for a certificate by renegotiation, once it was spoken to."""
        sport = self.sport()
        ns = ADDRESS_NS[src]
        self.speaks = "tls"
        server = self.servers.tls(dst, dport, *programs.VERSIONS[version],
                                  "-CAfile", self.servers.pem("ca") + ".crt",
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.declare("tcp", src, sport, dst, dport, want, None)
        p = self._openssl(src, sport, dst, dport, programs.VERSIONS[version] + [
            "-cert", self.servers.pem(ns) + ".crt", "-key", self.servers.pem(ns) + ".key"])
        p.stdin.write(LINE)
        p.stdin.flush()
        while LINE not in server.stdout.readline():
            pass
        for said in (b"R\n", b"the answer\n"):
            server.stdin.write(said)
            server.stdin.flush()
            time.sleep(0.3)
        if not self._ask(p, LINE, b"the answer")[0]:
            raise RuntimeError("no renegotiation with %s port %d" % (dst, dport))

    def _openssl(self, src, sport, dst, dport, argv):
        return subprocess.Popen(
            ["ip", "netns", "exec", PREFIX + ADDRESS_NS[src], "openssl", "s_client", "-connect",
             "%s:%d" % (dst, dport), "-bind", "%s:%d" % (src, sport), "-servername",
             "pool01.contoso.example"] + argv,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def _socket(self, src, sport, kind):
        with inside(ADDRESS_NS[src]):
            s = socket.socket(family(src), kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.settimeout(5)
        s.bind((src, sport))
        return s

    def _spawn_s_client(self, src, sport, dst, dport, cert):
        ns = ADDRESS_NS[src]
        # The first letter of a line must not be one of s_client's commands.
        argv = ["ip", "netns", "exec", PREFIX + ns, "openssl", "s_client", "-connect",
                "[%s]:%d" % (dst, dport) if ":" in dst else "%s:%d" % (dst, dport), "-bind",
                "[%s]:%d" % (src, sport) if ":" in src else "%s:%d" % (src, sport),
                "-tls1_2", "-quiet", "-no_ign_eof", "-servername", "pool01.contoso.example"]
        if cert:
            base = self.servers.pem(ns)
            argv += ["-cert", base + ".crt", "-key", base + ".key"]
        with open(os.path.join(self.servers.work, "clients.log"), "a") as log:
            return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=log)

    def _s_client(self, src, sport, dst, dport, cert):
        p = self._spawn_s_client(src, sport, dst, dport, cert)
        p.stdin.write(LINE)
        p.stdin.flush()
        answer = p.stdout.readline()
        p.stdin.close()
        p.wait(10)
        p.stdout.close()
        if not answer:
            raise RuntimeError("TLS %s to %s port %d failed" % (src, dst, dport))

    def _curl(self, src, sport, dst, dport, talk):
        """talk: more arguments for curl, the path first."""
        path, more = "/", []
        if talk:
            path, more = talk[0], list(talk[1:])
        scheme = "https" if dport in HTTPS else "http"
        host = "[%s]" % dst if ":" in dst else dst
        argv = ["ip", "netns", "exec", PREFIX + ADDRESS_NS[src], "curl", "-s", "-S", "-k", "-o",
                "/dev/null", "--max-time", "8", "--interface", src, "--local-port", str(sport),
                "%s://%s:%d%s" % (scheme, host, dport, path)] + more
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if p.returncode != 0:
            raise RuntimeError("curl %s to %s port %d: %s" % (src, dst, dport, p.stdout))

    # ---- through the reverse proxy: the outer connection and the one it causes

    def published(self, src, path, want, inner_dst, inner_port, inner_want, inner_leg=None,
                  port=443):
        inner = self.sport()
        self.speaks = "tls" if inner_port in HTTPS else "http"
        self.declare("tcp", "10.1.0.41", inner, inner_dst, inner_port, inner_want, inner_leg)
        sport = self.sport()
        self.speaks = "tls" if port in HTTPS else "http"
        self.declare("tcp", src, sport, "198.51.100.41", port, want, None)
        self._curl(src, sport, "198.51.100.41", port, [path, "-H", "X-Lab-Port: %d" % inner])

    # ---- SIP

    def call(self, src, dst, dport, want=None, leg=None, sport=None):
        """sipp calls somebody by TCP.  want None: off the wire, to a program that passes it on."""
        sport = sport or self.sport()
        self.speaks = "sip"
        if want:
            self.declare("tcp", src, sport, dst, dport, want, leg)
        argv = ["ip", "netns", "exec", PREFIX + ADDRESS_NS.get(src, src), "sipp", "-sn", "uac",
                "-t", "t1", "-i", src if want else "127.0.0.1", "-p", str(sport), "-bind_local",
                "-m", "1", "-d", "50", "-nostdin", "-timeout", "15", "-timeout_error",
                "%s:%d" % (dst, dport)]
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, cwd=self.servers.work,
                           check=False)
        if p.returncode != 0:
            raise RuntimeError("sipp %s to %s port %d: %s" % (src, dst, dport, p.stdout[-800:]))

    # ---- MS-TURN

    def relayed(self, src, dst, want, leg=None, sticky=False, modern=True, rounds=20):
        """An allocation by UDP and media through it, to the real server or on to dst."""
        sport = self.sport()
        svc = self.services.get((dst, "udp", 3478))
        media_to = svc.member(sport) if svc and not sticky else dst
        self.speaks = "ms-turn"
        self.declare("udp", src, sport, dst, 3478, want, leg)
        s = self._socket(src, sport, socket.SOCK_DGRAM)
        for request in msturn.asking(modern):
            s.sendto(request, (dst, 3478))
            s.recvfrom(4096)
        for n in range(rounds):
            s.sendto(msturn.rtp(n), (media_to, 3478))
            s.recvfrom(4096)
        s.close()

    def relayed_tcp(self, src, dst, want, leg=None, modern=True, sport=None, only_hello=False):
        """The same by TCP: pseudo-TLS, then frames.  A connection cannot move."""
        sport = sport or self.sport()
        self.speaks = "pseudo-tls" if only_hello else "ms-turn"
        self.declare("tcp", src, sport, dst, 443, want, leg)
        s = self._socket(src, sport, socket.SOCK_STREAM)
        s.connect((dst, 443))
        for said in [msturn.hello()] + ([] if only_hello else msturn.frames(modern)):
            s.sendall(said)
            s.recv(4096)
        s.close()
        time.sleep(0.02)

    # ---- UDP

    def fragments(self, src, dst, dport, want, size):
        """One datagram too long for the wire, that nobody answers."""
        sport = self.sport()
        self.listener(dst, dport, "udp", "silence")
        self.speaks = None
        self.declare("udp", src, sport, dst, dport, want, None)
        s = self._socket(src, sport, socket.SOCK_DGRAM)
        s.sendto(rtp(0) * (size // len(rtp(0))), (dst, dport))
        s.close()
        time.sleep(0.05)

    def udp(self, src, dst, dport, want, leg=None, server="rtp", talk=None, sport=None, rounds=1,
            answered=True):
        sport = sport or self.sport()
        kind = None if server in STANDING else server
        self.listener(dst, dport, "udp", kind)
        self.speaks = SPEAKS.get(server)
        if talk is not None:
            self.speaks = "stun" if is_stun(talk) else None
        if server == "dhcp":
            self.speaks = "dhcp"
        self.declare("udp", src, sport, dst, dport, want, leg)
        s = self._socket(src, sport, socket.SOCK_DGRAM)
        s.settimeout(2 if answered else 0.1)
        for n in range(rounds):
            if server == "coturn":
                data = talk or stun_binding()
            elif server == "dns":
                data = dns_query()
            elif server == "rtp" and talk is None:
                data = rtp(n)
            else:
                data = talk if talk is not None else REQUESTS.get(server, b"lab")
            s.sendto(data, (dst, dport))
            try:
                s.recvfrom(4096)
            except OSError:
                if answered:
                    raise
        s.close()

    def outward(self, src, vip, dst, dport, want, **how):
        """An Edge node opens outwards; its balancer translates, so two sightings."""
        sport = self.sport()
        opener = self.udp if how.get("server") == "dns" and how.pop("datagram", False) \
            else self.tcp
        server = how.get("server", "sip")
        speaks = ("tls" if dport in HTTPS else "http") if server == "nginx" else SPEAKS[server]
        self.say(opener.__name__, vip, sport, dst, dport, dict(want, speaks=speaks),
                 conn=self.conn + 1)
        opener(src, dst, dport, want, sport=sport, **how)

    def turn_session(self, src, dst, dport, want, node, peer, relay_want, tcp=False, leg=None):
        """An allocation and relayed media: turnutils_uclient, coturn, turnutils_peer.

        leg: of a dst that is a VIP with one member, node.
        """
        self.conn += 1
        self.speaks = None
        transport = "tcp" if tcp else "udp"
        twice = {"count": 2, "why": "the program allocates once to try and once to use"}
        self.say(transport, src, None, dst, dport, dict(want, **twice))
        if leg:
            snat = self.services[dst, transport, dport].snat
            self.say(transport, snat or src, None, node, dport, dict(leg, **twice))
        self.say("udp", node, None, peer, 3478, relay_want)
        self.servers.peer(peer)
        argv = ["ip", "netns", "exec", PREFIX + ADDRESS_NS[src], "turnutils_uclient", "-L", src,
                "-p", str(dport), "-u", "lab", "-w", "lab", "-n", "8", "-m", "1", "-l", "172",
                "-z", "20", "-c", "-e", peer, "-r", "3478"] + (["-t"] if tcp else []) + [dst]
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=60)
        if p.returncode != 0 or "lost packets 0 " not in p.stdout:
            raise RuntimeError("turnutils_uclient: " + p.stdout[-800:])


def is_stun(data):
    return len(data) >= 20 and data[4:8] == b"\x21\x12\xa4\x42"


def stun_binding():
    return struct.pack("!HHI", 1, 0, 0x2112A442) + os.urandom(12)


def ice_check():
    """A Binding request as ICE sends it: USERNAME, PRIORITY, ICE-CONTROLLING."""
    user = b"lab1:lab2"
    body = struct.pack("!HH", 6, len(user)) + user + b"\0" * (-len(user) % 4)
    body += struct.pack("!HHI", 0x24, 4, 0x6E0001FF)
    body += struct.pack("!HHQ", 0x802A, 8, 0x1122334455667788)
    return struct.pack("!HHI", 1, len(body), 0x2112A442) + os.urandom(12) + body


def allocate():
    """An Allocate request without credentials; the server asks for them (401)."""
    return struct.pack("!HHI", 3, 8, 0x2112A442) + os.urandom(12) + \
        struct.pack("!HHI", 0x19, 4, 17 << 24)


def rtp(n):
    """20 ms of G.711: version 2, payload type 0."""
    return struct.pack("!BBHII", 0x80, 0, 1000 + n, 160 * n, 0x1ABCA5E5) + b"\xd5" * 160


def dns_query(name="sip.contoso.example"):
    q = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
    return os.urandom(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + q + struct.pack("!HH", 1, 1)


def dhcp_inform(addr):
    """What a phone asks for: DHCPINFORM with the vendor class of Lync."""
    fixed = struct.pack("!BBBBIHH4s4s4s4s16s64s128s", 1, 1, 6, 0, 0x1AB0DC, 0, 0,
                        socket.inet_aton(addr), b"", b"", b"",
                        bytes.fromhex("02005e000120"), b"", b"")
    opts = bytes.fromhex("63825363") + b"\x35\x01\x08" + b"\x3c\x0cMS-UC-Client" + \
        b"\x37\x02\x2b\x78" + b"\xff"
    return fixed + opts


# No line must begin with one of openssl's commands.
LINE = b"OPTIONS sip:pool01.contoso.example SIP/2.0\n"

HTTP_GET = b"GET /meet HTTP/1.1\r\nHost: pool01.contoso.example\r\n\r\n"

# DCE/RPC bind to the endpoint mapper
RPC_BIND = bytes.fromhex("05000b03100000004800000001000000d016d0160000000001000000"
                         "00000100" "0883afe11f5dc91191a408002b14a0fa" "03000000"
                         "045d888aeb1cc9119fe808002b104860" "02000000")

REQUESTS = {
    "web": HTTP_GET,
    "http": HTTP_GET,
    "sip": b"OPTIONS sip:pool01.contoso.example SIP/2.0\r\nVia: SIP/2.0/TCP lab;branch=z9hG4bK1\r\n"
           b"Max-Forwards: 70\r\nFrom: <sip:a@contoso.example>;tag=1\r\n"
           b"To: <sip:b@contoso.example>\r\nCall-ID: lab\r\nCSeq: 1 OPTIONS\r\n"
           b"Content-Length: 0\r\n\r\n",
    "rpc": RPC_BIND,
    "samba": RPC_BIND,
    "ssrp": b"\x02",
    "ntp": b"\x23" + b"\0" * 39 + b"\xe1\x00\x00\x00\x00\x00\x00\x01",
    # opaque bytes that look like no protocol in particular
    "echo": bytes.fromhex("f1e2d3c4b5a6978877665544332211") * 4,
    "media": b"\x00\xac" + rtp(0),  # RFC 4571: a length before each packet
    "file": b"VER MSN_SECURE_FTP\r\n",
    # SMB1 negotiate, one dialect
    "smb": bytes.fromhex("0000002fff534d4272000000001801280000000000000000000000000000"
                         "000000000000" "00" "0c00" "024e54204c4d20302e313200" "02"),
    "xmpp": b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
            b"xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
            b"to='contoso.example' from='fabrikam.example' version='1.0'>",
}

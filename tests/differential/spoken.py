"""What tshark says is spoken in each conversation of a capture.

tshark is asked with all its protocols and its usual ports, and what it says is taken
apart again: a label that stands on the port alone is told from one that its dissector
has proven by a field that only such content has (PROOFS).  A conversation is what has
the same ends; the transport is the innermost one that lyncaudit opens (tshark.LAYERS).

A stream is what it begins with: what comes after STARTTLS, SOCKS or an upgrade is
another matter.  A UDP conversation may be several things in turn.
"""

import functools
import os
import re
import subprocess
from collections import Counter
from decimal import Decimal

import tshark

# lyncaudit's name -> the fields of tshark that prove it.
PROOFS = {
    "tls": ("tls.record.content_type", "tls.record.opaque_type", "tls.handshake.type"),
    "stun": ("stun.type", "classicstun.type"),
    "rtp": ("rtp.ssrc",),
    "rtcp": ("rtcp.pt",),
    "dns": ("dns.flags",),
    "sip": ("sip.Method", "sip.Status-Code"),
    "http": ("http.request.version", "http.response.version", "http2.magic"),
    "ssh": ("ssh.protocol",),
    "dhcp": ("dhcp.cookie",),
    "xmpp": ("xmpp.stream", "xmpp.iq", "xmpp.presence", "xmpp.message"),
    "smb": ("smb.cmd", "smb2.cmd", "smb2.header.comp_transform.original_size",
            "smb2.header.transform.msg_size"),
    "dcerpc": ("dcerpc.pkt_type",),
    "tds": ("tds.type",),
    "dtls": ("dtls.record.content_type",),
    "rdp": ("rdp.rt_cookie", "rdp.neg_type"),
}
# tshark's name of a layer -> lyncaudit's; those that are not here are other protocols.
WORDS = {
    "tls": "tls", "stun": "stun", "classicstun": "stun", "rtp": "rtp", "srtp": "rtp",
    "rtcp": "rtcp", "srtcp": "rtcp", "dns": "dns", "mdns": "dns", "llmnr": "dns", "sip": "sip",
    "http": "http", "http2": "http", "ssh": "ssh", "dhcp": "dhcp", "xmpp": "xmpp", "smb": "smb",
    "smb2": "smb", "dcerpc": "dcerpc", "tds": "tds", "dtls": "dtls", "rdp": "rdp",
}
# What may stand around a protocol of ours and is none itself.
AROUND = ("nbss", "tpkt", "cotp", "mptcp", "f5ethtrailer", "eth.trailer", "_ws.malformed",
          "_ws.short", "_ws.unreassembled", "xml")
INNER = ("ip", "ipv6", "eth", "ppp")  # another packet begins

FIELDS = (
    "frame.number", "frame.time_epoch", "frame.protocols", "ip.src", "ip.dst", "ip.flags.mf",
    "ipv6.src", "ipv6.dst", "ipv6.fraghdr.more", "tcp.srcport", "tcp.dstport", "tcp.flags",
    "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.payload", "udp.srcport", "udp.dstport",
    "udp.length", "udp.payload", "stun.att.type", "classicstun.att.type", "tls.record.version", "rtp.seq",
    "rtcp.senderssrc", "dns.count.queries", "dns.count.answers", "dns.count.auth_rr",
    "dns.count.add_rr", "dns.flags.opcode", "dns.flags.response", "dns.flags.rcode",
    "dns.flags.z", "dns.qry.name", "dns.qry.type", "dns.qry.class", "dns.extraneous.length",
) + tuple(field for fields in PROOFS.values() for field in fields)

OPTIONS = ("-o", "tcp.reassemble_out_of_order:TRUE", "-o", "ip.tso_support:TRUE",
           "-o", "ipv6.tso_support:TRUE", "--enable-heuristic", "rtp_udp",
           "--enable-heuristic", "rtp_stun")

# By what name tshark is told to decode a port, where it has one for the protocol.
DECODE_AS = {
    "tcp": {"tls": "tls", "http": "http", "sip": "sip", "dns": "dns", "smb": "nbss",
            "dcerpc": "dcerpc", "tds": "tds", "rdp": "tpkt", "ssh": "ssh", "xmpp": "xmpp",
            "stun": "stun", "ms-turn": "stun", "rtp": "rtp"},
    "udp": {"dns": "dns", "sip": "sip", "stun": "stun", "ms-turn": "stun", "rtp": "rtp",
            "rtcp": "rtcp", "dhcp": "dhcp", "dtls": "dtls"},
}
MS_COOKIE = "0x000f"  # the attribute that only Microsoft's TURN has
# The client's part of Microsoft's pseudo-TLS (MS-TURN 2.1): 50 bytes, TLS 1.0, no session,
# one suite (0018), no compression, no extensions.
PSEUDO_TLS = re.compile("160301002d010000290301.{64}00000200180100")


class Packet:
    """A packet with a payload as tshark reads it; `ends` is None for all others."""

    def __init__(self, line):
        self.all = dict(zip(FIELDS, line.split("\t")))
        self.ends = None
        layers = self.all["frame.protocols"].split(":")
        seen, at = Counter(), None
        for i, layer in enumerate(layers):
            if layer not in tshark.LAYERS or layer in tshark.QUOTES or layer == "data":
                break
            seen[layer] += 1
            if layer in ("tcp", "udp"):
                at, counts = i, Counter(seen)
        if at is None:
            return
        self.transport = layers[at]
        self.version = [x for x in layers[:at] if x in ("ip", "ipv6")][-1]
        self.plain = counts["ip"] + counts["ipv6"] == 1 and counts["tcp"] + counts["udp"] == 1
        self.labels = layers[at + 1:]
        for i, layer in enumerate(self.labels):
            if layer in INNER:
                self.labels = self.labels[:i]
                break
        self.ends = self.find_ends(counts)

    def find_ends(self, counts):
        nth, port = counts[self.version] - 1, counts[self.transport] - 1
        try:
            return tuple((self.values(self.version + "." + way)[nth],
                          int(self.values(self.transport + "." + way + "port")[port]))
                         for way in ("src", "dst"))
        except (IndexError, ValueError):  # a fragment, a header that was cut
            return None

    def values(self, field):
        return self.all[field].split(",") if self.all[field] else []

    def number(self, field):
        """The first value of a field as a number; 0 where there is none."""
        values = self.values(field)
        return int(values[0], 0) if values else 0

    def time_ns(self):
        return int(Decimal(self.all["frame.time_epoch"] or "0") * 10**9)

    def key(self):
        return (self.transport,) + tuple(sorted(self.ends))

    def is_cut_datagram(self):
        return self.all["ip.flags.mf"] in ("1", "True") or \
            self.all["ipv6.fraghdr.more"] in ("1", "True")

    def word(self):
        """(word, proven) of what tshark names; (None, False) where it names nothing.

        The word is a name of lyncaudit's, or another protocol's in parentheses.
        """
        for layer in self.labels:
            if layer in AROUND:
                continue
            word = WORDS.get(layer)
            if word is None:
                return "(%s)" % layer, True
            if word == "stun" and MS_COOKIE in (self.values("stun.att.type") +
                                                self.values("classicstun.att.type")):
                word = "ms-turn"
            return word, any(self.all[f] for f in PROOFS["stun" if word == "ms-turn" else word])
        if "nbss" in self.labels and any(self.all[f] for f in PROOFS["smb"]):
            return "smb", True  # of several messages in a segment, the last one was cut
        return None, False


class Conversation:
    def __init__(self):
        self.packets = []

    def words(self):
        """word -> proven, in order of appearance."""
        told = {}
        for packet in self.packets:
            word, proven = packet.word()
            if word:
                told[word] = told.get(word, False) or proven
        return told

    def is_pseudo_tls(self):
        return any(PSEUDO_TLS.match(data) for packet in self.packets
                   for data in packet.values("tcp.payload"))

    def theirs(self):
        """What tshark says it is: names of lyncaudit's, in order."""
        told = self.words()
        if self.packets and self.packets[0].transport == "tcp":
            first = next(iter(told), None)
            told = {} if first is None or first.startswith("(") else {first: told[first]}
        return [w for w in told if not w.startswith("(")]


def read(path, configuration, options=(), timeout=300):
    """({key: Conversation}, what tshark said).  Raises subprocess.TimeoutExpired."""
    argv = ["tshark", "-n", "-r", path, *OPTIONS, *options, "-T", "fields", "-E", "separator=/t",
            "-E", "occurrence=a", "-E", "aggregator=,"]
    for field in FIELDS:
        argv += ["-e", field]
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       errors="replace", timeout=timeout,
                       env={**os.environ, "WIRESHARK_CONFIG_DIR": configuration})
    conversations = {}
    for line in p.stdout.split("\n"):  # and nowhere else: texts are shown as they are
        packet = Packet(line) if line else None
        if packet and packet.ends:
            conversations.setdefault(packet.key(), Conversation()).packets.append(packet)
    said = [line for line in p.stderr.splitlines() if not line.startswith("Running as user")]
    return conversations, " ".join(said)


@functools.lru_cache(maxsize=4)
def read_as(path, configuration, options):
    return read(path, configuration, options)[0]


def asked(path, configuration, key, port, application):
    """Whether tshark, told that `port` speaks it, proves that this conversation does."""
    name = DECODE_AS[key[0]].get(application)
    if name is None:
        return False
    told = ("-d", "%s.port==%d,%s" % (key[0], port, name))
    for further in ((), ("-o", "tcp.desegment_tcp_streams:FALSE")):
        conversation = read_as(path, configuration, told + further).get(key)
        if conversation and any(p.word() == (application, True) for p in conversation.packets):
            return True
    return False

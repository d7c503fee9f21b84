"""Days about what is spoken: TLS in all its ways, and the programs that speak the rest."""

import programs
from day import Day
from netlab import Service
from places import (ACCESS, ANNE, CHAT, DESK, DIR1, E1A, E1I, FE1, FE2, GATEWAY, HOME, MED1,
                    PARTNER, POOL, RCC)
from traffic import bad, doc

# ---- TLS ------------------------------------------------------------------------

MUTUAL = {"mutual": "mutual"}
HIDDEN = {"mutual": "undetermined"}
ONE_WAY = {"mutual": "one_way", "findings": ["missing-mutual-tls"]}

# Rows that say MTLS, one version of TLS each: (server, port, version, row, a name)
ASKING = [(FE1, 5061, "1.2", "internal.1.3"), (FE1, 5086, "1.0", "internal.1.17"),
          (FE1, 5087, "1.1", "internal.1.18")]
SILENT = [(E1I, 50001, "1.2", "edge.2.6"), (E1I, 50002, "1.0", "edge.2.7"),
          (E1I, 50003, "1.1", "edge.2.8")]
HIDING = (FE1, 8404, "1.3", "internal.1.34")
LONG = [(DIR1, 50001, "1.2", "director.1.7"), (DIR1, 50002, "1.0", "director.1.8")]
STRICT = (DIR1, 50003, "1.2", "director.1.9")
LATER = (CHAT, 5041, "1.2", "internal.1.50")
WEB = [(FE2, 8060, "1.2", "internal.1.15"), (FE2, 8061, "1.2", "internal.1.16")]

GET = b"GET / HTTP/1.0\r\n\r\n"


def listen(op):
    s = op.servers
    for addr, port, version, _ in ASKING + [HIDING]:
        s.tls(addr, port, "-rev", *programs.VERSIONS[version], *programs.asking(s))
    for addr, port, version, _ in SILENT:
        s.tls(addr, port, "-rev", *programs.VERSIONS[version])
    for addr, port, version, _ in LONG:
        s.tls(addr, port, "-rev", *programs.VERSIONS[version], "-CAfile", programs.issuers(s),
              "-verify", "2")
    addr, port, version, _ = STRICT
    s.tls(addr, port, "-rev", *programs.VERSIONS[version], "-CAfile", s.pem("ca") + ".crt",
          "-Verify", "2", "-verify_return_error")
    programs.nginx(s, "fe02", FE2)


def before_tls(op):
    """A session that is older than the capture."""
    listen(op)
    addr, port, version, _ = ASKING[0]
    for name, more in (("old-id", ["-no_ticket"]), ("old-ticket", [])):
        op.handshake(FE2, addr, port, None, version, *more, cert=True, save=name)


def full_and_resumed(op, who, place, with_cert, without, talk=None):
    """Handshakes with and without a certificate, each resumed by id and by ticket."""
    addr, port, version, row = place
    for cert, means in ((True, with_cert), (False, without)):
        for more in ([], ["-no_ticket"]):
            op.handshake(who, addr, port, doc(row, **means), version, *more, cert=cert,
                         save="s", talk=talk)
            op.handshake(who, addr, port, doc(row, why="resumed", **means), version, *more,
                         cert=cert, resume="s", talk=talk)


def play_tls(op):
    for place in ASKING:
        full_and_resumed(op, FE2, place, MUTUAL, ONE_WAY)
    for place in SILENT:
        full_and_resumed(op, FE2, place, ONE_WAY, ONE_WAY)
    full_and_resumed(op, FE2, HIDING, HIDDEN, HIDDEN)
    full_and_resumed(op, FE1, WEB[0], MUTUAL, ONE_WAY, talk=GET)
    full_and_resumed(op, FE1, WEB[1], ONE_WAY, ONE_WAY, talk=GET)
    for addr, port, version, row in LONG:
        for cert, means in ((True, MUTUAL), (False, ONE_WAY)):
            op.handshake(FE1, addr, port, doc(row, why="more issuers than one record holds",
                                              **means), version, cert=cert)
    addr, port, version, row = ASKING[0]
    for name, more in (("old-id", ["-no_ticket"]), ("old-ticket", [])):
        op.handshake(FE2, addr, port, doc(row, why="its session is older than the capture",
                                          **HIDDEN), version, *more, cert=True, resume=name)
    addr, port, version, row = STRICT
    op.handshake(FE1, addr, port, doc(row, mutual="rejected", why="nobody knows its issuer"),
                 version, cert=programs.stranger(op.servers), answered=False)
    op.handshake(FE1, addr, port, doc(row, **MUTUAL), version, cert=True)
    addr, port, version, row = LATER
    op.asked_later(FE1, addr, port, doc(row, why="asked for when all is encrypted", **HIDDEN),
                   version)


def play_tls_ends(op):
    """Who must prove itself: servers and partners; not clients, not a balancer's leg."""
    for who, cert, means in ((DESK, False, {}), (DESK, True, {}), (FE2, True, MUTUAL),
                             (FE2, False, ONE_WAY)):
        op.tcp(who, FE1, 5061, doc("internal.1.3", **means), server="tls", cert=cert)
        op.tcp(who, POOL, 5061, doc("internal.2.1", **means),
               leg=doc("internal.2.1", leg="balanced"), server="tls", cert=cert)
    for who, cert, means in ((HOME, False, {}), (PARTNER, True, MUTUAL),
                             (PARTNER, False, ONE_WAY)):
        op.tcp(who, ACCESS, 5061, doc("edge.3.4", "internal.4.6", **means),
               leg=doc("edge.3.4", leg="balanced"), server="tls", cert=cert)


# ---- XMPP: prosody at both ends ----------------------------------------------------

def one_node():
    """A balancer that sends partners to the first node; who calls back cannot choose."""
    return [Service("hlbext", ACCESS, "tcp", [443, 5061, 5269], [E1A], snat=ACCESS)]


def federate(op, how):
    """Both domains open a stream to the other one: to ask, and to answer."""
    ours = programs.Prosody(op.servers, "edge01", E1A, 5269, "contoso.example", how,
                            "fabrikam.example", (PARTNER, 5269))
    programs.Prosody(op.servers, "partner", PARTNER, 5269, "fabrikam.example", how,
                     "contoso.example", (ACCESS, 5269))
    out, back = doc("edge.3.2"), doc("edge.3.1")
    op.seen("tcp", E1A, None, PARTNER, 5269, "xmpp", out)
    op.seen("tcp", ACCESS, None, PARTNER, 5269, "xmpp", out)
    op.declare("tcp", PARTNER, None, ACCESS, 5269, back, doc("edge.3.1", leg="*"))
    ours.ping()


def play_xmpp_starttls(op):
    federate(op, "starttls")


def play_xmpp_clear(op):
    """The rows of federation say XMPP and no more: dialback in clear is documented."""
    federate(op, "clear")


def to_gateway_port(op, how, want, speaks, answered):
    """Port 23456 of the Edge says MTLS, from the first byte."""
    programs.Prosody(op.servers, "edge01", E1I, 23456, "contoso.example", how)
    gateway = programs.Prosody(op.servers, "fe01", FE1, 15269, "gateway.example", how,
                               "contoso.example", (E1I, 23456))
    op.seen("tcp", FE1, None, E1I, 23456, speaks, want)
    gateway.ping(answered)


def play_xmpp_gateway(op):
    to_gateway_port(op, "direct", doc("edge.2.1", mutual="mutual"), "tls", False)


def play_xmpp_gateway_starttls(op):
    to_gateway_port(op, "starttls", doc("edge.2.1", findings=["protocol-mismatch"],
                                        why="protected, but not from the first byte"),
                    "xmpp", False)


def play_xmpp_gateway_clear(op):
    to_gateway_port(op, "clear", doc("edge.2.1", findings=["cleartext"]), "xmpp", False)


# ---- Samba: files, and the endpoint mapper ------------------------------------------

def play_samba(op):
    """Replication by each dialect; the mapper asked, and what it names used."""
    narrow = programs.Samba(op.servers, FE2, (40000, 40100))
    usual = programs.Samba(op.servers, FE1)
    for dialect in ("NT1", "SMB2", "SMB3"):
        op.seen("tcp", FE1, None, FE2, 445, "smb", doc("internal.1.37"))
        narrow.fetch(FE1, dialect)
    op.seen("tcp", FE2, None, FE1, 445, "smb", bad("wrong-direction", "internal.1.37"))
    usual.fetch(FE2, "SMB3")
    told = {"child": True, "why": "the mapper has named the port"}
    for server, rows in ((narrow, []), (usual, ["internal.1.28"])):
        port = server.port()
        op.seen("tcp", DESK, None, server.addr, 135, "dcerpc", doc("internal.1.5"))
        op.seen("tcp", DESK, None, server.addr, port, "dcerpc",
                doc("internal.1.5", *rows, **told))
        server.ask(DESK)
    op.tcp(ANNE, FE2, narrow.port(), bad("unexpected-port", why="she never asked the mapper"),
           server="samba")


# ---- SIP: sipp calls, kamailio answers or passes on ----------------------------------

def play_sip(op):
    """In clear where rows say TCP, in TLS where they say TLS or MTLS."""
    kamailio = programs.Kamailio
    kamailio(op.servers, "med01", ["tcp:%s:5068" % MED1, "tls:%s:5067" % MED1])
    kamailio(op.servers, "pstn01", ["tcp:%s:5081" % GATEWAY, "tls:%s:5082" % GATEWAY])
    kamailio(op.servers, "fe01", ["tcp:%s:5060" % FE1, "tls:%s:5061" % FE1])
    op.call(GATEWAY, MED1, 5068, doc("internal.1.48"))
    op.call(MED1, GATEWAY, 5081, doc("internal.1.25"))
    op.call(RCC, FE1, 5060, doc("internal.1.2"))
    # What calls in clear on its own host is passed on in TLS.
    for ns, src, dst, port, want in (
            ("pstn01", GATEWAY, MED1, 5067, doc("internal.1.47")),
            ("med01", MED1, GATEWAY, 5082, doc("internal.1.26")),
            ("fe02", FE2, FE1, 5061, doc("internal.1.3", mutual="mutual")),
            ("desk1", DESK, FE1, 5061, doc("internal.1.3"))):
        kamailio(op.servers, ns, ["tcp:127.0.0.1:15060", "tls:%s:15061" % src],
                 "%s:%d;transport=tls" % (dst, port))
        op.seen("tcp", src, None, dst, port, "tls", want)
        op.call(ns, "127.0.0.1", 15060)


def play_sip_clear(op):
    """The same calls in clear where the rows do not allow it."""
    kamailio = programs.Kamailio
    kamailio(op.servers, "med01", ["tcp:%s:5067" % MED1])
    kamailio(op.servers, "pstn01", ["tcp:%s:5082" % GATEWAY])
    kamailio(op.servers, "fe01", ["tcp:%s:5061" % FE1])
    kamailio(op.servers, "edge01", ["tcp:%s:5061" % E1A])
    clear = {"findings": ["cleartext"]}
    op.call(GATEWAY, MED1, 5067, doc("internal.1.47", **clear))
    op.call(MED1, GATEWAY, 5082, doc("internal.1.26", **clear))
    op.call(FE2, FE1, 5061, doc("internal.1.3", **clear))
    op.call(DESK, FE1, 5061, doc("internal.1.3", **clear))
    op.call(HOME, ACCESS, 5061, doc("edge.3.4", "internal.4.6", **clear),
            leg=doc("edge.3.4", leg="balanced", **clear))


DAYS = [
    Day("lab-tls", "TLS 1.0 to 1.3 where rows say MTLS: with and without certificates, resumed, "
        "long issuer lists, renegotiated", play_tls, before=before_tls),
    Day("lab-tls-ends", "TLS with and without certificates by who opens it", play_tls_ends),
    Day("lab-xmpp", "XMPP federation with STARTTLS", play_xmpp_starttls, services=one_node),
    Day("lab-xmpp-clear", "XMPP federation in clear, with dialback", play_xmpp_clear,
        services=one_node),
    Day("lab-xmpp-gateway", "The XMPP gateway with TLS from the first byte", play_xmpp_gateway),
    Day("lab-xmpp-gateway-starttls", "The XMPP gateway with STARTTLS",
        play_xmpp_gateway_starttls),
    Day("lab-xmpp-gateway-clear", "The XMPP gateway in clear", play_xmpp_gateway_clear),
    Day("lab-samba", "Samba: files by SMB 1 to 3, the endpoint mapper and the ports it names",
        play_samba),
    Day("lab-sip", "SIP of sipp and kamailio, in clear and in TLS as the rows say", play_sip),
    Day("lab-sip-clear", "SIP of sipp and kamailio in clear where the rows say TLS",
        play_sip_clear, services=one_node),
]

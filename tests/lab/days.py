"""What happens in each capture, and what the documents say about it."""

from day import Day
from netlab import drop
from places import (E1A, E1W, E1V, E1I, E2A, E2V, E2I, ACCESS, WEBCONF, AV, EDGE_IN, RPE, RPI, FE1,
                    FE2, POOL, FE1_6, POOL_6, DIR1, DIR2, DIRPOOL, MED1, MED2, MEDPOOL, CHAT, OWAS,
                    RCC, GATEWAY, BRANCH, DC, DC2, SQL, FILES, BROKER, MONITOR, DESK, DESK2, DESK3,
                    DESK_6, ANNE, BOB, HLB_EXT, HLB_EXT2, HLB_INT2, HLB_EDGE, HLB_MED, PARTNER,
                    PARTNER_AV, HOME, HOTEL, PHONE, SCANNER, INET_DNS, INET_WEB, JABBER, STRANGER)
import proofs
import spoken
from wire import ends
from traffic import (REQUESTS, allocate, bad, dhcp_inform, doc, off, outside, probe,
                     stun_binding, waived)

POST = ["/", "-X", "POST", "-d", "<request what='address book' who='lab'/>"]


# ---- every documented row, in the order of row-ends --------------------------

def rows_director(op):
    op.tcp(RPI, DIRPOOL, 8080, doc("director.1.1", "rproxy.2.1"), server="nginx")
    op.tcp(RPI, DIRPOOL, 4443, doc("director.1.2", "rproxy.2.2", "internal.2.20"),
           server="nginx")
    for front_end in (FE1, FE2):
        op.tcp(DIR1, front_end, 444, doc("director.1.3", "internal.1.4"), server="nginx")
    op.tcp(DIR2, POOL, 444, doc("director.1.3", "internal.2.2"), server="nginx", talk=POST)
    op.tcp(DESK, DIRPOOL, 80, doc("director.1.4"), server="nginx")
    op.tcp(DESK, DIRPOOL, 443, doc("director.1.5", "internal.2.17"), server="nginx")
    op.tcp(E1I, DIRPOOL, 5061,
           doc("director.1.6", "director.p.edge-to-sip", "edge.4.2"),
           leg=doc("director.p.edge-to-sip", "edge.4.2", leg="*"), server="tls")
    for n, port in ((7, 50001), (8, 50002), (9, 50003)):
        op.tcp(FE1, DIR1, port, doc("director.1.%d" % n), server="tls")
    op.tcp(E2I, FE1, 5061, doc("director.p.edge-to-sip", "edge.4.2"), server="tls")
    op.tcp(DIR1, E1I, 5061, doc("director.p.sip-to-edge"), server="tls")
    op.tcp(RPI, DIR2, 4443, doc("director.p.web-published", "rproxy.2.2"), server="nginx")


def rows_front_end(op):
    op.udp(FE2, FE1, 1434, doc("internal.1.1", "internal.1.38"), server="ssrp")
    op.tcp(RCC, FE1, 5060, doc("internal.1.2"), server="sip")
    op.tcp(DESK, FE1, 5061, doc("internal.1.3"), server="tls", cert=False)
    op.tcp(FE2, FE1, 5061, doc("internal.1.3"), server="tls")
    op.tcp(BRANCH, FE1, 444, doc("internal.1.4"), server="nginx")
    op.tcp(DESK, FE1, 135, doc("internal.1.5"), server="rpc")
    for row, port in (("internal.1.6", 5062), ("internal.1.9", 5063), ("internal.1.20", 5064),
                      ("internal.1.27", 5065), ("internal.1.21", 5072), ("internal.1.29", 5073),
                      ("internal.1.30", 5075), ("internal.1.31", 5076), ("internal.1.33", 5071),
                      ("internal.1.35", 5080)):
        op.tcp(FE2, FE1, port, doc(row), server="sip")
    for row, port in (("internal.1.15", 8060), ("internal.1.16", 8061), ("internal.1.17", 5086),
                      ("internal.1.18", 5087), ("internal.1.34", 8404), ("internal.1.36", 448)):
        op.tcp(FE2, FE1, port, doc(row), server="tls")
    op.tcp(DESK, FE1, 8057, doc("internal.1.7"), server="tls", cert=False)
    op.tcp(DESK, FE1, 57600, doc("internal.1.10", "internal.1.28"), server="media")
    op.udp(DESK, FE1, 57602, doc("internal.1.10"), rounds=10)
    op.tcp(ANNE, FE1, 80, doc("internal.1.11"), server="nginx")
    op.tcp(ANNE, FE1, 443, doc("internal.1.12", "internal.1.19"), server="nginx")
    op.tcp(RPI, FE1, 8080, doc("internal.1.13", "rproxy.2.1"), server="nginx")
    op.tcp(BOB, FE1, 8080, doc("internal.1.13"), server="nginx")
    op.tcp(RPI, FE2, 4443, doc("internal.1.14", "rproxy.2.2"), server="nginx")
    op.tcp(BRANCH, FE2, 4443, doc("internal.1.14", why="between pools: sba01 is a front-end"),
           server="nginx")
    op.tcp(FE2, FE1, 5070, doc("internal.1.22"), server="tls")
    op.tcp(GATEWAY, FE1, 5067, doc("internal.1.23"), server="tls")
    op.tcp(GATEWAY, FE2, 5068, doc("internal.1.24"), server="sip")
    op.tcp(FE1, GATEWAY, 5081, doc("internal.1.25"), server="sip")
    op.tcp(MED1, GATEWAY, 5082, doc("internal.1.26"), server="tls")
    op.tcp(ANNE, FE2, 50010, doc("internal.1.28", "internal.1.39"), server="media")
    op.tcp(FE1, FE2, 445, doc("internal.1.37"), server="smb")
    op.udp(DESK, FE1, 50020, doc("internal.1.39"), rounds=25)
    op.udp(GATEWAY, MED1, 50022, doc("internal.1.39"), rounds=25)


def rows_other_servers(op):
    op.tcp(FE1, OWAS, 443, doc("internal.1.40"), server="nginx")
    op.tcp(RCC, DIR1, 5060, doc("internal.1.41"), server="sip")
    op.tcp(FE1, DIR1, 444, doc("internal.1.42"), server="nginx")
    op.tcp(BOB, DIR1, 80, doc("internal.1.43"), server="nginx")
    op.tcp(BOB, DIR1, 443, doc("internal.1.44"), server="nginx")
    op.tcp(BOB, DIR2, 5061, doc("internal.1.45"), server="tls", cert=False)
    op.tcp(FE1, MED1, 5070, doc("internal.1.46", "internal.1.49"), server="tls")
    op.tcp(GATEWAY, MED1, 5067, doc("internal.1.47"), server="tls")
    op.tcp(GATEWAY, MED2, 5068, doc("internal.1.48"), server="sip")
    op.tcp(FE1, CHAT, 5041, doc("internal.1.50"), server="tls")
    op.tcp(DESK, CHAT, 881, doc("internal.1.51"), server="tls", cert=False)
    op.tcp(DESK, CHAT, 443, doc("internal.1.52"), server="nginx")
    op.tcp(FE1, RCC, 4711, doc("internal.p.rcc"), server="sip")
    op.tcp(DESK2, OWAS, 443, doc("internal.1.40", "rproxy.p.owas-clients"), server="nginx")


def rows_balanced(op):
    """Tables 2 of the internal document: what clients and servers ask of the VIPs."""
    op.tcp(DESK, POOL, 5061, doc("internal.2.1"), server="tls", cert=False)
    op.tcp(DESK2, POOL, 5061, doc("internal.2.1"), server="tls", cert=False)
    op.tcp(BRANCH, POOL, 444, doc("internal.2.2"), server="nginx", talk=POST)
    op.tcp(DESK, POOL, 135, doc("internal.2.3"), server="rpc")
    op.tcp(DESK, POOL, 80, doc("internal.2.4"), server="nginx", talk=POST,
           leg=doc("internal.2.4", leg="*", why="a request by HTTP from the balancer's address "
                                               "may look like its monitor"))
    op.tcp(DESK, POOL, 8080, doc("internal.2.5"), server="nginx", talk=POST,
           leg=doc("internal.2.5", leg="*"))
    op.tcp(DESK, POOL, 443, doc("internal.2.6"), server="nginx")
    op.tcp(RPI, POOL, 4443, doc("internal.2.7", "rproxy.2.2"), server="nginx")
    for row, port in (("internal.2.8", 5072), ("internal.2.9", 5073), ("internal.2.10", 5075),
                      ("internal.2.11", 5076), ("internal.2.12", 5071), ("internal.2.13", 5080)):
        op.tcp(MED1, POOL, port, doc(row), server="sip")
    op.tcp(MED1, POOL, 448, doc("internal.2.14"), server="tls")
    op.tcp(FE1, MEDPOOL, 5070, doc("internal.2.15"), server="tls")
    op.tcp(FE2, MEDPOOL, 5070, doc("internal.2.15"), server="tls")
    op.tcp(FE1, POOL, 5070, doc("internal.2.16"), server="tls")
    op.tcp(FE1, DIRPOOL, 444, doc("internal.2.18"), server="nginx")
    op.tcp(ANNE, DIRPOOL, 5061, doc("internal.2.19"), server="tls", cert=False)
    # the same over IPv6
    op.tcp(DESK_6, FE1_6, 5061, doc("internal.1.3"), server="tls", cert=False)
    op.tcp(DESK_6, POOL_6, 443, doc("internal.2.6"), server="nginx")
    op.udp(DESK_6, FE1_6, 50030, doc("internal.1.39"), rounds=10)


def rows_client(op):
    op.tcp(DESK, ANNE, 6891, doc("internal.4.7", "internal.4.10"), server="file")
    op.udp(DESK, ANNE, 20000, doc("internal.4.8", "internal.4.9", either=True,
                                  why="both ends sit in the client range"), rounds=25)
    op.udp(FE1, BOB, 20002, doc("internal.4.8", "internal.4.9"), sport=40100, rounds=10)
    op.udp(BOB, FE1, 50026, doc("internal.1.39", why="both ends sit in a documented range; the "
                                                     "server's is the narrower"), rounds=10)
    op.tcp(FE1, BOB, 20004, doc("internal.4.10", "internal.4.11"), server="media")
    op.udp(DESK, DC, 67, doc("internal.4.1", "internal.4.12"), server="dhcp", sport=68,
           talk=dhcp_inform(DESK))


def rows_edge_outside(op):
    """The external interfaces, node and VIP."""
    op.outward(E1A, ACCESS, INET_WEB, 80, doc("edge.1.1"), server="nginx")
    op.tcp(E2A, INET_WEB, 80, doc("edge.1.1"), server="nginx")
    op.outward(E1A, ACCESS, INET_DNS, 53, doc("edge.1.2"), server="dns")
    op.udp(E2A, INET_DNS, 53, doc("edge.1.3", basis="protocol"), server="dns")
    op.tcp(E1V, PARTNER_AV, 443, doc("edge.1.4", "edge.1.11"), server="stun",
           talk=stun_binding(), sport=50443)
    op.tcp(E1V, PARTNER_AV, 50500, doc("edge.1.4"), server="media", sport=50445)
    op.udp(E1V, PARTNER_AV, 3478, doc("edge.1.8", basis="protocol"), server="stun",
           talk=stun_binding(), sport=3478)
    op.udp(HOME, E1V, 3478, doc("edge.1.9", "internal.4.5", basis="protocol"), server="coturn")
    op.tcp(HOME, E2V, 443, doc("edge.1.10", "internal.4.4"), server="coturn")
    op.udp(E1V, E2V, 3478, doc("edge.1.8", "edge.1.9", basis="protocol"), server="coturn",
           sport=50600)
    op.tcp(JABBER, ACCESS, 5269, doc("edge.3.1"), server="xmpp",
           leg=doc("edge.3.1", leg="*"))
    op.tcp(JABBER, E1A, 5269, doc("edge.3.1"), server="xmpp")
    op.outward(E1A, ACCESS, JABBER, 5269, doc("edge.3.2"), server="xmpp")
    for home in (HOME, HOTEL):
        op.tcp(home, ACCESS, 443, doc("edge.3.3", "internal.4.2"), server="tls", cert=False,
               leg=doc("edge.3.3", leg="balanced"))
        op.tcp(home, WEBCONF, 443, doc("edge.3.6", "internal.4.3"), server="tls", cert=False,
               leg=doc("edge.3.6", leg="balanced"))
    op.tcp(PARTNER, ACCESS, 5061, doc("edge.3.4", "internal.4.6"), server="tls",
           leg=doc("edge.3.4", leg="balanced"))
    op.tcp(HOTEL, ACCESS, 5061, doc("edge.3.4", "internal.4.6"), server="tls", cert=False,
           leg=doc("edge.3.4", leg="balanced"))
    op.outward(E1A, ACCESS, PARTNER, 5061, doc("edge.3.5"), server="tls")
    op.tcp(E2A, PARTNER, 5061, doc("edge.3.5"), server="tls")
    for home in (HOME, HOTEL, PHONE):
        op.udp(home, AV, 3478, doc("edge.3.7", "internal.4.5", basis="protocol"),
               leg=doc("edge.1.9", "edge.3.7", leg="*", basis="protocol"), server="coturn")
        op.tcp(home, AV, 443, doc("edge.3.8", "internal.4.4"),
               leg=doc("edge.1.10", "edge.3.8", leg="*"), server="coturn")
    op.turn_session(HOME, E1V, 3478, doc("edge.1.9", "internal.4.5", basis="protocol"),
                    E1V, PARTNER,
                    doc("edge.1.8", why="relayed media goes to the partner's 3478"))


def rows_edge_inside(op):
    op.tcp(FE1, E1I, 23456, doc("edge.2.1"), server="tls")
    op.tcp(FE1, E1I, 4443, doc("edge.2.2"), server="nginx")
    op.tcp(FE1, E2I, 4443, doc("edge.2.2"), server="nginx")
    op.tcp(FE2, E1I, 8057, doc("edge.2.3"), server="tls")
    op.udp(DESK, E1I, 3478, doc("edge.2.4", basis="protocol"), server="coturn")
    op.tcp(DESK, E1I, 443, doc("edge.2.5"), server="coturn")
    for n, port in ((6, 50001), (7, 50002), (8, 50003)):
        op.tcp(FE1, E1I, port, doc("edge.2.%d" % n), server="tls")
    op.tcp(FE1, EDGE_IN, 5061, doc("edge.4.1"), server="tls")
    op.tcp(DIR1, EDGE_IN, 5061, doc("edge.4.1"), server="tls")
    op.tcp(E1I, POOL, 5061, doc("edge.4.2", "director.p.edge-to-sip"), server="tls",
           leg=doc("internal.2.1", leg="balanced"))
    op.tcp(FE1, EDGE_IN, 5062, doc("edge.4.3"), server="tls",
           leg=doc("edge.4.3", leg="balanced"))
    op.tcp(BRANCH, EDGE_IN, 5062, doc("edge.4.3"), server="tls",
           leg=doc("edge.4.3", leg="balanced"))
    op.udp(DESK, EDGE_IN, 3478, doc("edge.4.4", basis="protocol"), server="coturn",
           leg=doc("edge.4.4", "edge.2.4", leg="*", basis="protocol"))
    op.tcp(DESK2, EDGE_IN, 443, doc("edge.4.5"), server="coturn",
           leg=doc("edge.4.5", "edge.2.5", leg="*"))
    op.tcp(EDGE_IN, ANNE, 443, doc("edge.4.6", why="the balancer opens it, as a full proxy"),
           server="stun", talk=stun_binding())


def rows_reverse_proxy(op):
    op.published(HOME, "/autodiscover", doc("rproxy.1.1"), POOL, 8080,
                 doc("rproxy.2.1", "internal.2.5"), port=80,
                 inner_leg=doc("internal.2.5", leg="*"))
    for who in (HOME, PHONE):
        op.published(who, "/meet/anne/1", doc("rproxy.1.2"), POOL, 4443,
                     doc("rproxy.2.2", "internal.2.7"))
    op.published(PHONE, "/dir/discover", doc("rproxy.1.2"), DIRPOOL, 4443,
                 doc("rproxy.2.2", "director.1.2"))
    op.published(HOTEL, "/wopi/slides", doc("rproxy.1.2"), OWAS, 443, doc("rproxy.2.3"))


def healthy_background(op):
    """What the documents do not list and the site's exceptions do."""
    for server in (FE1, DIR1, MED1):
        op.udp(server, DC, 53, waived("EX-01", basis="protocol"), server="dns")
    op.tcp(FE2, DC2, 53, waived("EX-01"), server="dns")
    op.udp(FE1, DC, 123, waived("EX-02"), server="ntp", sport=123)
    op.tcp(FE1, DC, 88, waived("EX-03"), server="echo")
    op.udp(FE2, DC, 464, waived("EX-03"), server="echo", sport=40102)
    op.udp(FE2, DC2, 88, doc("internal.1.39", either=True,
                             why="nothing in the payload says who opened it: a media port of a "
                                 "front-end is documented, a Kerberos port is not"),
           server="echo")
    for port in (389, 636, 3268, 3269):
        op.tcp(FE1, DC, port, waived("EX-04"), server="echo")
    op.udp(DIR1, DC, 389, waived("EX-04"), server="echo")
    op.tcp(FE1, DC, 135, waived("EX-05"), server="rpc")
    op.tcp(FE1, DC, 49670, waived("EX-05"), server="echo")
    op.tcp(DIR2, DC, 445, waived("EX-06"), server="smb")
    op.tcp(BRANCH, DC, 88, waived("EX-07"), server="echo")
    op.udp(BRANCH, DC, 53, waived("EX-07", basis="protocol"), server="dns")
    op.udp(E1I, DC, 53, waived("EX-08", basis="protocol"), server="dns")
    op.udp(RPI, DC, 53, waived("EX-09", basis="protocol"), server="dns")
    op.tcp(FE1, SQL, 1433, waived("EX-10"), server="echo")
    op.udp(FE1, SQL, 1434, waived("EX-11"), server="ssrp", sport=40104)
    op.tcp(FE2, FILES, 445, waived("EX-12"), server="smb")
    for port in (5077, 5088, 5092, 5096, 5098, 9001):
        op.tcp(FE1, FE2, port, waived("EX-13"), server="tls" if port != 9001 else "echo")
    op.tcp(FE1, BROKER, 5672, waived("EX-20"), server="echo")


def office_background(op):
    """Nobody with a server's role is in it: counted, not judged."""
    op.udp(DESK, DC, 53, outside(basis="protocol"), server="dns")
    op.tcp(DESK, FILES, 445, outside(), server="smb")
    op.tcp(DESK, INET_WEB, 443, outside(), server="nginx")
    op.tcp(DESK3, INET_WEB, 80, outside(), server="nginx")
    op.udp(HOME, INET_DNS, 53, outside(basis="protocol"), server="dns")
    op.udp(DESK, "239.255.255.250", 1900, outside(why="multicast plays no role"), server=None,
           talk=b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", answered=False)


def monitors(op):
    """The balancers ask whether their members live."""
    for node in (FE1, FE2):
        op.connect_only(HLB_INT2, node, 5061, probe("internal.2.1"), server="tls")
        op.tls_only(HLB_INT2, node, 443, probe("internal.2.6"))
        op.tcp(HLB_INT2, node, 80, probe("internal.2.4"), server="nginx", talk=["/status"])
        op.tcp(HLB_INT2, node, 8080, probe("internal.2.5"), server="nginx",
               talk=["/status", "-I"])
    op.connect_only(HLB_INT2, DIR1, 443, probe("internal.2.17"), server="nginx")
    op.connect_only(HLB_EDGE, E1I, 5061, probe("edge.4.1"), server="tls")
    op.connect_only(HLB_EDGE, E1I, 5062, probe("edge.4.3"), server="tls")
    op.connect_only(HLB_EDGE, E1I, 443, probe("edge.4.5"), server="coturn")
    op.connect_only(HLB_MED, MED1, 5070, probe("internal.2.15"), server="tls")
    op.connect_only(HLB_EXT, E1A, 443, probe("edge.3.3"), server="tls")
    op.connect_only(HLB_EXT, E2A, 5061, probe("edge.3.4"), server="tls")
    op.connect_only(HLB_EXT, E1W, 443, probe("edge.3.6"), server="tls")
    op.connect_only(HLB_EXT, E1V, 443, probe("edge.3.8"), server="coturn")
    for node in (E1V, E2V):
        op.udp(HLB_EXT2, node, 3478, probe("edge.3.7", basis="protocol"), server="coturn")
    op.udp(HLB_EXT, E1V, 3478, probe("edge.3.7", why="an empty datagram"), server="coturn",
           talk=b"", answered=False)


def play_rows(op):
    for part in (rows_director, rows_front_end, rows_other_servers, rows_balanced, rows_client,
                 rows_edge_outside, rows_edge_inside, rows_reverse_proxy, healthy_background,
                 office_background, monitors):
        part(op)



# ---- a working day -----------------------------------------------------------

def sign_in(op, who):
    op.udp(who, DC, 53, outside(basis="protocol"), server="dns")
    op.tcp(who, POOL, 5061, doc("internal.2.1"), server="tls", cert=False)
    op.tcp(who, POOL, 443, doc("internal.2.6"), server="nginx", talk=["/abs/handler"])


def conference(op, who, front_end):
    op.tcp(who, front_end, 8057, doc("internal.1.7"), server="tls", cert=False)
    op.udp(who, front_end, 50020, doc("internal.1.39"), rounds=40)
    op.udp(who, front_end, 57600, doc("internal.1.10"), rounds=20)


def pstn_call(op):
    op.tcp(GATEWAY, MED1, 5067, doc("internal.1.47"), server="tls")
    op.tcp(FE1, MEDPOOL, 5070, doc("internal.2.15"), server="tls")
    op.udp(GATEWAY, MED1, 50022, doc("internal.1.39"), rounds=40)
    op.udp(DESK, MED1, 50024, doc("internal.1.39"), rounds=40)
    op.tcp(MED1, GATEWAY, 5082, doc("internal.1.26"), server="tls")


def remote_user(op, who):
    op.published(who, "/meet/anne/1", doc("rproxy.1.2"), POOL, 4443,
                 doc("rproxy.2.2", "internal.2.7"))
    op.tcp(who, ACCESS, 443, doc("edge.3.3", "internal.4.2"), server="tls", cert=False,
           leg=doc("edge.3.3", leg="balanced"))
    op.tcp(who, WEBCONF, 443, doc("edge.3.6", "internal.4.3"), server="tls", cert=False,
           leg=doc("edge.3.6", leg="balanced"))
    op.udp(who, AV, 3478, doc("edge.3.7", "internal.4.5", basis="protocol"),
           leg=doc("edge.1.9", "edge.3.7", leg="*", basis="protocol"), server="coturn")
    op.turn_session(who, E1V, 3478, doc("edge.1.9", "internal.4.5", basis="protocol"),
                    E1V, PARTNER, doc("edge.1.8"))


def edge_to_pool(op):
    op.tcp(E1I, POOL, 5061, doc("edge.4.2", "director.p.edge-to-sip"), server="tls",
           leg=doc("internal.2.1", leg="balanced"))
    op.tcp(FE1, EDGE_IN, 5061, doc("edge.4.1"), server="tls")
    op.tcp(FE1, EDGE_IN, 5062, doc("edge.4.3"), server="tls",
           leg=doc("edge.4.3", leg="balanced"))
    for node in (E1I, E2I):
        op.tcp(FE1, node, 4443, doc("edge.2.2"), server="nginx")
    op.udp(DESK, EDGE_IN, 3478, doc("edge.4.4", basis="protocol"), server="coturn",
           leg=doc("edge.4.4", "edge.2.4", leg="*", basis="protocol"))


def federation(op):
    op.tcp(PARTNER, ACCESS, 5061, doc("edge.3.4", "internal.4.6"), server="tls",
           leg=doc("edge.3.4", leg="balanced"))
    op.outward(E1A, ACCESS, PARTNER, 5061, doc("edge.3.5"), server="tls")
    op.outward(E1A, ACCESS, INET_DNS, 53, doc("edge.1.3", basis="protocol"), server="dns",
               datagram=True)
    op.outward(E1A, ACCESS, INET_WEB, 80, doc("edge.1.1"), server="nginx")


SNAT_WHY = "the balancer rewrites the source in front of the A/V Edge"


def snat_leg(**more):
    return bad("undocumented-path", finding="av-edge-snat", why=SNAT_WHY, **more)


def faults_of_the_day(op):
    """What the audit of this day has to find."""
    # The reverse proxy publishes the pool's internal web site.
    for _ in range(3):
        op.published(PHONE, "/wrong/meet", doc("rproxy.1.2"), POOL, 443,
                     bad("unexpected-port", "rproxy.2.2 internal.2.7 director.p.web-published",
                         why="443 for 4443"),
                     inner_leg=doc("internal.2.6", leg="balanced"))
    # The Edge pulls its configuration; the documents have it pushed.
    op.tcp(E1I, FE1, 4443, bad("wrong-direction", "edge.2.2"), server="nginx")
    # TCP 443 of the A/V service is translated.
    for who in (HOME, HOTEL, PHONE):
        op.tcp(who, AV, 443, doc("edge.3.8", "internal.4.4"), server="coturn", talk=allocate(),
               leg=snat_leg())
    # An agent that should be gone since June.
    op.tcp(FE1, MONITOR, 10051,
           bad("undocumented-path", later=["exception-expired"], why="EX-21 has expired"),
           server="echo")
    # A front-end that fetches its updates from the Internet.
    op.tcp(FE2, INET_WEB, 443, bad("undocumented-path"), server="nginx")
    # Somebody still uses Live Meeting.
    op.tcp(ANNE, FE1, 8058, off("legacy-meeting-clients", "internal.1.8"), server="tls",
           cert=False)
    # A phone with an old setting.
    op.knock(ANNE, POOL, 5060, bad("unexpected-port", why="5060 for 5061", states=["refused"]))
    # The Internet knocks.
    for port in (22, 80, 3389):
        op.knock(SCANNER, ACCESS, port, bad("unexpected-port", states=["refused"]))
    drop("fe01", "ip saddr 192.0.2.99 tcp dport 5061")
    op.knock(SCANNER, FE1, 5061, bad("undocumented-path", states=["attempted"]))


def play_day(op):
    for who in (DESK, DESK2, ANNE, BOB):
        sign_in(op, who)
    edge_to_pool(op)
    healthy_background(op)
    op.udp(DESK, ANNE, 20000, doc("internal.4.8", "internal.4.9", either=True), rounds=40)
    conference(op, DESK, FE1)
    conference(op, BOB, FE2)
    pstn_call(op)
    remote_user(op, HOME)
    remote_user(op, HOTEL)
    federation(op)
    monitors(op)
    faults_of_the_day(op)
    sign_in(op, DESK3)


# ---- every kind of verdict ---------------------------------------------------

def wrong_directions(op):
    op.tcp(FE1, RPI, 4443,
           bad("wrong-direction", "rproxy.2.2 internal.1.14 director.p.web-published"),
           server="tls")
    op.tcp(FE1, GATEWAY, 5067, bad("wrong-direction", "internal.1.23 internal.1.47"),
           server="tls")
    op.tcp(GATEWAY, MED1, 5081, bad("wrong-direction", "internal.1.25"), server="sip")
    op.tcp(FE2, FE1, 445, bad("wrong-direction", "internal.1.37",
                              why="the CMS host pushes; a replica does not fetch"), server="smb")
    op.tcp(E1I, FE1, 4443, bad("wrong-direction", "edge.2.2",
                               why="the document's own list names both ends"), server="nginx")
    op.knock(E1I, FE2, 23456, bad("wrong-direction", "edge.2.1", states=["refused"]))
    op.tcp(CHAT, FE1, 5041, bad("wrong-direction", "internal.1.50"), server="tls")
    op.knock(MED2, GATEWAY, 30000,
             bad("wrong-direction", "internal.1.47 internal.1.23", states=["refused"],
                 why="opened from the documented service port"), sport=5067)


def no_wrong_directions(op):
    """What looks like one: the row behind it names nobody, or no port."""
    op.tcp(DIR1, GATEWAY, 5060, bad("undocumented-path",
                                    why="director.1.7 is open to any-internal, which is nobody"),
           server="sip", sport=50001)
    op.knock(SCANNER, ACCESS, 80, bad("unexpected-port", states=["refused"],
                                      why="edge.1.1 goes to any, which is nobody"))
    op.tcp(RCC, FE1, 4711, bad("unexpected-port", why="internal.p.rcc names no port; "
                                                      "internal.1.2 lets rcc01 reach fe01"),
           server="sip")
    op.tcp(FE1, SQL, 1433, waived("EX-10", why="the source port lies in a media range"),
           server="echo", sport=50002)


def unexpected_ports(op):
    op.tcp(RPI, POOL, 443,
           bad("unexpected-port", "rproxy.2.2 internal.2.7 director.p.web-published",
               why="443 for 4443"),
           leg=doc("internal.2.6", leg="balanced"), server="nginx")
    op.tcp(RPI, POOL, 80, bad("unexpected-port", "rproxy.2.1 internal.2.5 director.p.web-published",
                              why="80 for 8080"),
           leg=doc("internal.2.4", leg="*"), server="nginx", talk=POST)
    op.knock(ANNE, POOL, 5060, bad("unexpected-port", why="5060 for 5061", states=["refused"]))
    op.knock(HOME, ACCESS, 5060, bad("unexpected-port", why="5060 for 5061", states=["refused"]))
    op.knock(FE1, EDGE_IN, 5060, bad("unexpected-port", why="5060 for 5061", states=["refused"]))
    op.knock(HOME, AV, 3478, bad("unexpected-port", "edge.3.7 internal.4.5", why="tcp for udp",
                                 states=["refused"]))
    op.knock(HOME, E1V, 3478, bad("unexpected-port", "edge.1.9 internal.4.5", why="tcp for udp",
                                  states=["refused"]))
    op.udp(DESK, POOL, 5061, bad("unexpected-port", why="udp for tcp", basis="protocol"),
           server=None,
           talk=stun_binding(), answered=False)
    op.knock(FE1, EDGE_IN, 8057, bad("unexpected-port", states=["refused"],
                                     why="web conferencing goes to the nodes, not to the VIP"))
    op.knock(FE1, EDGE_IN, 4443, bad("unexpected-port", states=["refused"]))
    op.tcp(GATEWAY, CHAT, 5041, bad("unexpected-port"), server="tls")
    op.knock(DESK, FE1, 3389, bad("unexpected-port", states=["refused"]))
    op.knock(HOME, RPE, 8443, bad("unexpected-port", states=["refused"]))
    op.tcp(E1I, SQL, 1433, bad("unexpected-port",
                               why="edge.4.2 lets the node reach any internal address, on 5061",
                               strict={"verdict": "undocumented-path", "rules": [],
                                       "findings": ["undocumented-path"]}),
           server="echo")
    op.tcp(E2A, INET_WEB, 443, bad("unexpected-port"), server="nginx")
    op.udp(E1V, HOME, 40000, bad("unexpected-port", either=True,
                                 why="neither port lies in 50000-59999"), sport=40001, rounds=10)
    op.knock(HLB_INT2, FE1, 3389, bad("unexpected-port", states=["refused"],
                                      why="no probe: no row documents that port"))


def undocumented_paths(op):
    op.tcp(HOME, FE1, 5061, bad("undocumented-path"), server="tls", cert=False)
    drop("fe01", "ip saddr 192.0.2.99 tcp dport 5061")
    op.knock(SCANNER, FE1, 5061, bad("undocumented-path", states=["attempted"]))
    op.tcp(E1W, INET_WEB, 80, bad("undocumented-path"), server="nginx")
    op.tcp(FE1, INET_WEB, 443, bad("undocumented-path"), server="nginx")
    op.tcp(RPI, SQL, 1433, bad("undocumented-path"), server="echo")
    op.tcp(HLB_EDGE, SQL, 1433, bad("undocumented-path"), server="echo")
    op.tcp(FE1, MONITOR, 10051,
           bad("undocumented-path", later=["exception-expired"], why="EX-21 has expired"),
           server="echo")
    op.tcp(SCANNER, FILES, 445, outside(why="external to internal: no server's role in it"),
           server="smb")


def features_off(op):
    op.tcp(DESK, FE1, 8058, off("legacy-meeting-clients", "internal.1.8"), server="tls",
           cert=False)
    op.tcp(FE1, GATEWAY, 5066, off("e911", "internal.1.32"), server="sip")
    op.tcp(HOME, E1V, 50124, off("federation-ocs2007", "edge.1.6"), server="media")
    op.udp(HOME, E1V, 50126, off("federation-ocs2007", either=True), rounds=25)
    op.udp(E2V, HOTEL, 40010, off("federation-ocs2007", either=True), sport=50128, rounds=10)


def documented_after_all(op):
    """Nothing wrong with these by the table; some never got through."""
    blocked = {"later": ["blocked-flow", "missing-flow", "sip-one-way"]}
    op.knock(FE2, E2I, 8057, doc("edge.2.3", states=["refused"], **blocked))
    drop("edge02", "ip saddr 10.2.0.12 tcp dport 50001")
    op.knock(FE2, E2I, 50001, doc("edge.2.6", states=["attempted"], **blocked))
    op.tcp(FE1, E1I, 5062, doc("edge.4.3", leg="balanced",
                               why="from its own address: the leg without SNAT"), server="tls")
    op.again(FE2, FE1, 5064, doc("internal.1.20", states=["reset"],
                                 why="a port used again is a new flow"), times=3)
    op.connect_only(HLB_INT2, FE2, 5061, probe("internal.2.1"), server="tls")
    op.knock(HLB_INT2, FE2, 8404, probe("internal.1.34", states=["refused", "reset"],
                                        why="a probe stays one when the member is down"))
    # Only the short list of the document says no to these.
    narrow = {"strict": {"verdict": "unexpected-port", "rules": [],
                         "findings": ["unexpected-port"]}}
    op.tcp(DESK, EDGE_IN, 5061, doc("edge.4.1", **narrow), server="tls",
           leg=doc("edge.4.1", leg="balanced"))
    op.tcp(DESK, E1I, 4443, doc("edge.2.2", **narrow), server="nginx")
    op.tcp(DESK, E1I, 8057, doc("edge.2.3", **narrow), server="tls")
    op.udp(DESK, E1I, 3478, doc("edge.2.4", basis="protocol"), server="coturn")
    op.tcp(E2A, STRANGER, 5061, doc("edge.3.5", **narrow), server="tls")


def play_violations(op):
    for part in (wrong_directions, no_wrong_directions, unexpected_ports, undocumented_paths,
                 features_off, documented_after_all):
        part(op)


# ---- a balancer that rewrites what it must not -------------------------------

def play_snat(op):
    for who in (HOME, HOTEL, PHONE):
        op.udp(who, AV, 3478, doc("edge.3.7", "internal.4.5", basis="protocol"), server="coturn",
               talk=allocate(), leg=snat_leg(basis="protocol"))
        op.tcp(who, AV, 443, doc("edge.3.8", "internal.4.4"), server="coturn", talk=allocate(),
               leg=snat_leg())
    op.udp(HLB_EXT, E1V, 50130, snat_leg(), sport=60130, rounds=50)
    inside = {"verdict": "undocumented-path", "finding": "av-edge-snat"}
    op.udp(DESK, EDGE_IN, 3478, doc("edge.4.4", basis="protocol"), server="coturn",
           talk=allocate(), leg=bad(basis="protocol", **inside))
    op.tcp(DESK2, EDGE_IN, 443, doc("edge.4.5"), server="coturn", talk=allocate(),
           leg=bad(**inside))
    # The same balancers, where they may rewrite, and where they only look.
    op.tcp(HOME, ACCESS, 443, doc("edge.3.3", "internal.4.2"), server="tls", cert=False,
           leg=doc("edge.3.3", leg="balanced"))
    op.tcp(FE1, EDGE_IN, 5061, doc("edge.4.1"), server="tls")
    op.udp(HLB_EXT2, E1V, 3478, probe("edge.3.7", basis="protocol"), server="coturn")
    op.connect_only(HLB_EXT, E1V, 443, probe("edge.3.8"), server="coturn")
    op.udp(HOTEL, E2V, 3478, doc("edge.1.9", "internal.4.5", basis="protocol"), server="coturn")


# ---- a sensor that was switched on late --------------------------------------

LATE = 30700  # source port of the connection whose SYN the edit takes out


def before_midstream(op):
    # Whether a FIN seen later makes "closed" of it is left open.
    any_end = ["midstream", "closed", "reset"]
    late = {"states": any_end, "basis": None}
    op.held = [
        ("tls", op.hold_tls(DESK, FE1, 5061, doc("internal.1.3", **late))),
        ("sip", op.tcp(GATEWAY, MED2, 5068, doc("internal.1.48", **late), hold=True)),
        ("http", op.tcp(ANNE, DIR1, 80, doc("internal.1.43", states=any_end,
                                            basis="protocol"), server="web", hold=True)),
        ("http", op.tcp(FE1, RPI, 8080, bad("wrong-direction", states=any_end,
                                            basis="protocol",
                                            nearest="rproxy.2.1 internal.1.13 "
                                                    "director.p.web-published",
                                            why="the request names the client"),
                        server="http", hold=True)),
        ("sip", op.tcp(FE2, RPI, 4443, bad("undocumented-path", basis="port-order",
                                           states=any_end,
                                           why="who opened it is a guess: no wrong direction"),
                       hold=True)),
    ]


def play_midstream(op):
    any_end = ["established", "closed", "reset", "midstream"]
    for kind, s in op.held:
        if kind == "tls":
            op.more_tls(s)
            s.stdin.close()
            s.wait(10)
        else:
            s.sendall(REQUESTS[kind])
            s.recv(4096)
            s.close()
    op.tcp(DESK2, FE1, 5061, doc("internal.1.3", basis="syn-ack", states=any_end), server="tls",
           cert=False, sport=LATE)
    op.tcp(FE2, FE1, 5062, doc("internal.1.6"), server="sip")


def without_first_syn(packets):
    for t, frame, orig in packets:
        e = ends(frame)
        if e and e[0] == "tcp" and e[2] == LATE and frame[e[5] + 13] == 0x02:
            continue
        yield t, frame, orig


# ---- what cannot be known ----------------------------------------------------

def play_cut(op):
    blind = {"no_ports": True, "either": True, "count": 0, "findings": [], "states": None,
             "basis": None, "later": ["undetermined"], "rules": [], "verdict": "undetermined",
             "speaks": None}
    op.fragments(DESK, FE1, 50040, doc("internal.1.39", tail=True,
                                      why="the head names the ports"), 3600)
    op.fragments(DESK2, FE1, 50040, dict(blind, why="the head is taken out"), 3600)
    op.tcp(DESK3, FE2, 5062, dict(blind, why="cut inside the TCP header"), server="sip")
    op.tcp(DESK, FE1, 5061, doc("internal.1.3"), server="tls", cert=False)


def cut(packets):
    for t, frame, orig in packets:
        e = ends(frame)
        if e and e[1] == DESK2 and e[2] is not None and e[0] == "udp":
            continue
        if e and e[0] == "tcp" and DESK3 in (e[1], e[3]):
            frame = frame[:e[5] + 2]
        yield t, frame, orig


# ---- the same pool with DNS load balancing (tests/lab/site-dns.json) ---------

def play_dns(op):
    wrong = {"verdict": "unexpected-port", "finding": "wrong-load-balancing"}
    op.tcp(DESK, POOL, 80, doc("internal.3.1"), server="nginx", talk=POST,
           leg=doc("internal.3.1", leg="*"))
    op.tcp(DESK, POOL, 443, doc("internal.3.2"), server="nginx")
    op.tcp(DESK, POOL, 8080, doc("internal.3.3"), server="nginx", talk=POST,
           leg=doc("internal.3.3", leg="*"))
    op.tcp(RPI, POOL, 4443, doc("internal.3.4"), server="nginx")
    op.tcp(DESK, DIRPOOL, 443, doc("internal.3.5"), server="nginx",
           leg=doc("internal.1.44", leg="*"))
    op.tcp(RPI, DIRPOOL, 4443, doc("internal.3.7"), server="nginx",
           leg=doc("rproxy.2.2", leg="*"))
    op.tcp(DESK, DIRPOOL, 80, doc("director.1.4"), server="nginx",
           leg=doc("internal.1.43", leg="*"))
    op.tcp(RPI, DIRPOOL, 8080, doc("director.1.1"), server="nginx",
           leg=doc("rproxy.2.1", leg="*"))
    op.tcp(DESK, FE1, 5061, doc("internal.1.3"), server="tls", cert=False)
    op.tcp(FE1, MED1, 5070, doc("internal.1.46", "internal.1.49"), server="tls")
    # The balancer still serves SIP for the directors.
    op.tcp(ANNE, DIRPOOL, 5061, bad(**wrong), leg=doc("internal.1.45"), server="tls", cert=False)
    op.tcp(FE1, DIRPOOL, 444, bad(**wrong), leg=doc("internal.1.42"), server="nginx")
    # These hosts still ask for it.
    for who in (BOB, E1I, FE2):
        op.knock(who, POOL, 5061, bad(states=["refused"], **wrong))
    op.knock(FE1, MEDPOOL, 5070, bad(states=["refused"], **wrong))
    op.knock(BOB, POOL, 5060, bad("unexpected-port", finding="wrong-load-balancing",
                                  states=["refused"],
                                  why="a port that no mode gives the VIP is not one of this "
                                      "mode's either"))


# ---- every feature, one moved port (tests/lab/site-all.json) -----------------

def play_all(op):
    op.tcp(DESK, FE1, 8058, doc("internal.1.8"), server="tls", cert=False)
    op.tcp(FE1, GATEWAY, 5066, doc("internal.1.32"), server="sip")
    op.udp(E1V, PARTNER_AV, 40020, doc(either=True), sport=50132, rounds=10)
    op.udp(E1V, PARTNER_AV, 40022, doc("edge.1.5", basis="protocol"), sport=50138, server="stun",
           talk=stun_binding())
    op.tcp(HOME, E1V, 50134, doc("edge.1.6"), server="media")
    op.udp(HOME, E1V, 50140, doc("edge.1.7", basis="protocol"), server="stun",
           talk=stun_binding())
    op.udp(HOME, E1V, 50136, doc(either=True), rounds=25)
    op.tcp(HOME, WEBCONF, 444, doc("edge.3.6", "internal.4.3"), server="tls", cert=False,
           leg=doc("edge.3.6", leg="balanced"))
    op.tcp(HOTEL, WEBCONF, 443, bad("unexpected-port", "edge.3.6 internal.4.3",
                                    why="the site moved the row to 444"),
           leg=bad("unexpected-port"), server="tls", cert=False)


DAYS = [
    Day("lab-day", "A working day of the example site, with faults to be found", play_day,
        balancers={"av_tcp_snat": HLB_EXT}),
    Day("lab-rows", "One connection for every documented row, and nothing else but probes, "
        "exceptions and office traffic", play_rows),
    Day("lab-violations", "Every kind of verdict but the proofs of rewriting", play_violations),
    Day("lab-snat", "Balancers that rewrite the source in front of the A/V Edge, outside and "
        "inside", play_snat,
        balancers={"av_udp_snat": HLB_EXT, "av_tcp_snat": AV, "internal_av_snat": HLB_EDGE}),
    Day("lab-midstream", "A sensor switched on after the connections were made", play_midstream,
        file="lab-midstream.pcap", before=before_midstream, edit=without_first_syn),
    Day("lab-cut", "Fragments without their head, headers cut by the snap length", play_cut,
        file="lab-cut.pcap", edit=cut),
    Day("lab-dns", "The pools with DNS load balancing", play_dns, balancers={"dns": True}),
    Day("lab-all", "Every feature deployed, web conferencing moved to 444", play_all),
] + proofs.DAYS + spoken.DAYS

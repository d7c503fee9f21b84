"""Days about load balancers in front of the A/V Edge: each kind of evidence, and the
same traffic through a balancer that leaves addresses as they are.
"""

import balancers
import msturn
from day import Day
from netlab import Service
from places import (ACCESS, AV, DESK, DESK2, DIR1, E1A, E1I, E1V, E1W, E2A, E2I, E2V, EDGE_IN,
                    FE1, FE2, HLB_EDGE, HLB_EXT, HLB_EXT2, HLB_INT2, HOME, HOTEL, INET_DNS,
                    PARTNER, PARTNER_AV, PHONE)
from traffic import allocate, bad, doc, outside, probe

POOL_ADDRESS = "198.51.100.9"  # the balancer's, which the site description does not know
BUILT = ("made by tests/lab/lab.sh: real programs in network namespaces; MS-TURN, which no free "
         "server speaks, built byte by byte by tests/lab/msturn.py")

UDP = {"basis": "protocol"}
WHY = "the balancer rewrites the source in front of the A/V Edge"


def to_vip(transport, **more):
    """What a client asks of the A/V VIP."""
    if transport == "udp":
        return doc("edge.3.7", "internal.4.5", **UDP, **more)
    return doc("edge.3.8", "internal.4.4", **more)


def kept(transport, **more):
    """The node's leg of it, with the client's own address."""
    if transport == "udp":
        return doc("edge.1.9", "edge.3.7", leg="*", **UDP, **more)
    return doc("edge.1.10", "edge.3.8", leg="*", **more)


def snat(*kinds, **more):
    """A node is reached from a balancer's address: what proves it."""
    return bad("undocumented-path", finding="av-edge-snat", why=WHY, shows=list(kinds), **more)


def showing(want, *kinds, **more):
    """Documented by itself, and evidence all the same."""
    return dict(want, findings=["av-edge-snat"], shows=list(kinds), why=WHY, **more)


# ---- the same five questions, whatever the balancer does -----------------------

def ask(op, vip, udp, tcp, clients):
    """Binding and Allocate by UDP and by TCP, and a connection that says nothing.

    udp, tcp: the wants of a question, by its name: (client's leg, node's leg).
    """
    for who in clients:
        op.udp(who, vip, 3478, udp("binding")[0], leg=udp("binding")[1], server="coturn")
        op.udp(who, vip, 3478, udp("allocate")[0], leg=udp("allocate")[1], server="coturn",
               talk=allocate())
        op.tcp(who, vip, 443, tcp("binding")[0], leg=tcp("binding")[1], server="coturn")
        op.tcp(who, vip, 443, tcp("allocate")[0], leg=tcp("allocate")[1], server="coturn",
               talk=allocate())
        op.connect_only(who, vip, 443, tcp("connect")[0], leg=tcp("connect")[1],
                        server="coturn")


def clean(transport):
    return lambda question: (to_vip(transport) if question != "connect" else to_vip("tcp"),
                             kept(transport))


# ---- both legs in sight ----------------------------------------------------------

def play_kept(op):
    """Binding, Allocate, bare connections: destinations change, sources do not."""
    ask(op, AV, clean("udp"), clean("tcp"), (HOME, HOTEL, PHONE))
    inside_udp = (doc("edge.4.4", **UDP), doc("edge.4.4", "edge.2.4", leg="*", **UDP))
    inside_tcp = (doc("edge.4.5"), doc("edge.4.5", "edge.2.5", leg="*"))
    ask(op, EDGE_IN, lambda q: inside_udp, lambda q: inside_tcp, (DESK, DESK2))


def pairs(transport, declared=True):
    """What both legs show of each question, once the source is another.

    The answer to an Allocate without credentials (401) carries no mapped address.
    """
    def kinds(question):
        found = [] if question == "connect" else ["paired-transaction"]
        if transport == "tcp":
            found.append("paired-connection")
        if declared and question != "connect":
            found.append("rewritten-source")
        if declared and question == "binding":
            found.append("mapped-address")
        return found
    return kinds


def play_rewritten(op):
    """The same through balancers that put an address of their own in the client's place."""
    def outer(transport):
        basis = UDP if transport == "udp" else {}
        return lambda q: (to_vip(transport), snat(*pairs(transport)(q), **basis))

    def inner(transport):
        row, basis = ("edge.4.4", UDP) if transport == "udp" else ("edge.4.5", {})
        return lambda q: (doc(row, **basis), snat(*pairs(transport)(q), **basis))
    ask(op, AV, outer("udp"), outer("tcp"), (HOME, HOTEL, PHONE))
    ask(op, EDGE_IN, inner("udp"), inner("tcp"), (DESK, DESK2))


def play_pool(op):
    """An address that nobody declared is everybody's, to the rows: only the pair tells."""
    def outer(transport):
        def wants(question):
            leg = doc("edge.1.9", **UDP) if transport == "udp" else doc("edge.1.10")
            return to_vip(transport), showing(leg, *pairs(transport, False)(question))
        return wants
    ask(op, AV, outer("udp"), outer("tcp"), (HOME, HOTEL))


# ---- whole sessions of coturn and its client ----------------------------------------

def one_member(rewrite):
    """turnutils picks its ports itself, so there is one node; it wants answers from the VIP."""
    return lambda: [Service("hlbext", AV, t, [port], [E1V], snat=HLB_EXT if rewrite else None)
                    for t, port in (("udp", 3478), ("tcp", 443))]


def play_session(op, rewritten):
    """Allocations that are granted, permissions, channels, relayed data: UDP and TCP."""
    for t, port in (("udp", 3478), ("tcp", 443)):
        basis = UDP if t == "udp" else {}
        kinds = pairs(t)("binding")
        op.turn_session(HOME, AV, port, to_vip(t), E1V, PARTNER, doc("edge.1.8"), tcp=t == "tcp",
                        leg=snat(*kinds, **basis) if rewritten else kept(t))


# ---- a sensor that sees one leg --------------------------------------------------------

def play_outside_kept(op):
    ask(op, AV, clean("udp"), clean("tcp"), (HOME, HOTEL))
    op.udp(PHONE, E1V, 3478, doc("edge.1.9", "internal.4.5", **UDP), server="coturn")


def play_outside_rewritten(op):
    """Whom the server saw is in its answer to a Binding request, and nowhere else."""
    def outer(transport):
        return lambda q: (showing(to_vip(transport), "mapped-address") if q == "binding"
                          else to_vip(transport), None)
    ask(op, AV, outer("udp"), outer("tcp"), (HOME, HOTEL))
    op.udp(PHONE, E1V, 3478, doc("edge.1.9", "internal.4.5", **UDP), server="coturn")


def play_outside_pool(op):
    """Not an address that is known to be the balancer's: it depends on the sensor's place."""
    places = {"outside": {"findings": ["av-edge-snat"], "shows": ["mapped-address"],
                          "level": "observed"},
              "between": {"findings": ["av-edge-snat"], "shows": ["mapped-address"]}}

    def outer(transport):
        return lambda q: (to_vip(transport, places=places if q == "binding" else None), None)
    ask(op, AV, outer("udp"), outer("tcp"), (HOME, HOTEL))


def play_behind_kept(op):
    ask(op, AV, clean("udp"), clean("tcp"), (HOME, HOTEL))
    op.udp(HLB_EXT2, E1V, 3478, probe("edge.3.7", **UDP), server="coturn")
    op.connect_only(HLB_EXT, E1V, 443, probe("edge.3.8"), server="coturn")


def play_behind_rewritten(op):
    """A Binding request or a bare connection from the balancer's own address may be a
    monitor's; an allocation is somebody's, and a VIP asks nothing by itself."""
    def udp(question):
        return None, snat("rewritten-source", **UDP) if question == "allocate" \
            else probe("edge.3.7", **UDP)

    def tcp(question):
        if question == "connect":
            return None, bad("undocumented-path", finding="av-edge-snat", shows=[],
                             level="observed", why="the VIP opens it, and nothing is said")
        return None, snat("rewritten-source")
    ask(op, AV, udp, tcp, (HOME, HOTEL))


# ---- MS-TURN: allocation, then media ---------------------------------------------------

def relays():
    return {"edge01": msturn.Server(E1V), "edge02": msturn.Server(E2V)}


def play_msturn(op):
    """As documented: asked at the VIP, answered by the node, and media go to the node."""
    for modern, who in enumerate((HOME, HOTEL, PHONE, HOME)):
        op.relayed(who, AV, to_vip("udp"), kept("udp"), modern=modern % 2 == 0)
        op.relayed_tcp(who, AV, to_vip("tcp"), kept("tcp"), modern=modern % 2 == 0)
    op.relayed(HOTEL, E2V, doc("edge.1.9", "internal.4.5", **UDP))
    op.relayed_tcp(HOTEL, E1V, doc("edge.1.10", "internal.4.4"))
    op.relayed(DESK, EDGE_IN, doc("edge.4.4", **UDP), doc("edge.4.4", "edge.2.4", leg="*", **UDP))
    op.relayed_tcp(DESK2, EDGE_IN, doc("edge.4.5"), doc("edge.4.5", "edge.2.5", leg="*"))


def play_sticky(op):
    """Media go on through the VIP; what opened the session was right."""
    for who in (HOME, HOTEL):
        op.relayed(who, AV, showing(to_vip("udp"), "sticky-vip", level="observed"), kept("udp"),
                   sticky=True)
        op.relayed_tcp(who, AV, to_vip("tcp"), kept("tcp"))
    op.relayed(DESK, EDGE_IN, showing(doc("edge.4.4", **UDP), "sticky-vip", level="observed"),
               doc("edge.4.4", "edge.2.4", leg="*", **UDP), sticky=True)


def answered_inside():
    """Inside too, the node answers by its own address."""
    return [Service("hlbint", EDGE_IN, "udp", [3478], [E1I, E2I], stateless=True)]


def play_turn_rewritten(op):
    """MS-TURN's own fields through a balancer that rewrites."""
    every = ("paired-transaction", "rewritten-source", "mapped-address")
    for who in (HOME, HOTEL):
        op.relayed(who, AV, showing(to_vip("udp"), "sticky-vip", level="observed"),
                   snat(*every, **UDP), sticky=True)
        op.relayed_tcp(who, AV, to_vip("tcp"), snat("paired-connection", *every))


# ---- haproxy in front of TCP 443 -------------------------------------------------------

def proxied(op, mine, node):
    """MS-TURN behind its pseudo-TLS, that greeting alone, real TLS, and a bare connection.

    mine, node: by what is done, the wants of both legs.
    """
    for who in (HOME, HOTEL):
        op.relayed_tcp(who, AV, mine("session"), node("session"), sport=op.sport(odd=True))
        op.relayed_tcp(who, AV, mine("greeting"), node("greeting"), sport=op.sport(odd=True),
                       only_hello=True)
        op.connect_only(who, AV, 443, mine("connect"), leg=node("connect"), server="msturn",
                        sport=op.sport(odd=True))
        op.tcp(who, AV, 443, mine("tls"), leg=node("tls"), server="tls443", cert=False,
               sport=op.sport(odd=False))


def proxy(keeps=None):
    """Outside; the access service may always be rewritten.  Inside where it must not."""
    def make():
        svcs = [Service("hlbext", AV, "tcp", [443], [E1V, E2V], by="haproxy", keeps=keeps,
                        snat=None if keeps else HLB_EXT),
                Service("hlbext", ACCESS, "tcp", [443, 5061, 5269], [E1A, E2A], by="haproxy",
                        snat=HLB_EXT)]
        if not keeps:
            svcs.append(Service("hlbint", EDGE_IN, "tcp", [443], [E1I, E2I], by="haproxy",
                                snat=HLB_EDGE))
        return svcs
    return make


def av_and_tls():
    return {"edge01": msturn.Server(E1V), "edge02": "tls"}


def permitted(op):
    op.tcp(HOME, ACCESS, 443, doc("edge.3.3", "internal.4.2"), server="tls", cert=False,
           leg=doc("edge.3.3", leg="balanced"))
    op.tcp(PARTNER, ACCESS, 5061, doc("edge.3.4", "internal.4.6"), server="tls",
           leg=doc("edge.3.4", leg="balanced"))


def no_stun(want):
    """Real TLS where the rows have STUN and MS-TURN."""
    return dict(want, findings=want["findings"] + ["protocol-mismatch"])


def as_it_is(done):
    return no_stun(to_vip("tcp")) if done == "tls" else to_vip("tcp")


def play_proxy(op):
    """A connection of the proxy's own carries the client's bytes: the ClientHello tells, and
    what is inside.  With neither it cannot be told from a monitor's."""
    shown = {"session": ("paired-connection", "paired-transaction", "rewritten-source",
                         "mapped-address"),
             "greeting": ("paired-connection", "rewritten-source"),
             "tls": ("paired-connection",)}
    proxied(op, as_it_is,
            lambda done: snat(*shown[done]) if done in shown else probe("edge.3.8"))
    permitted(op)
    op.relayed_tcp(DESK, EDGE_IN, doc("edge.4.5"), snat(*shown["session"]),
                   sport=op.sport(odd=True))


def play_tproxy(op):
    """A transparent proxy: a connection of its own, under the client's address and port."""
    proxied(op, as_it_is,
            lambda done: no_stun(kept("tcp")) if done == "tls" else kept("tcp"))
    permitted(op)


def play_tproxy_port(op):
    """The client's address, and another port: that is a translation, too.

    Of a stranger the imitated hello proves nothing, since clients may fix its random.
    """
    shown = {"session": ("paired-transaction",), "tls": ("paired-connection",)}

    def node(done):
        want = showing(kept("tcp"), *shown[done]) if done in shown else kept("tcp")
        return no_stun(want) if done == "tls" else want
    proxied(op, as_it_is, node)
    permitted(op)


# ---- answers that leave as the VIP -------------------------------------------------------

NODES = "{ %s, %s }" % (E1V, E2V)
ANSWERS_AS_VIP = {"late": ["ip saddr %s udp sport 3478 ip saddr set %s" % (NODES, AV)],
                  "snat": ["ip saddr %s udp sport 50000-59999 snat ip to %s" % (NODES, AV)]}


# A balancer remembers what it translated: a port of its own for each capture.
MEDIA_PORTS = {False: 50150, True: 50160}


def ask_nodes(op, as_vip):
    """The real addresses are asked; media leave from the relay's ports."""
    for who, node in ((HOME, E1V), (HOTEL, E2V)):
        sport = op.sport()
        if as_vip:
            op.seen("udp", who, sport, AV, 3478, "stun",
                    showing(to_vip("udp"), "reply-from-vip"))
        op.udp(who, node, 3478, doc("edge.1.9", "internal.4.5", **UDP), server="coturn",
               sport=sport)
    media = doc("edge.1.8", why="towards the partner's 3478, from a port of the relay")
    if op.place != "outside":
        op.udp(E1V, PARTNER, 3478, media, sport=MEDIA_PORTS[as_vip], rounds=25)
        op.udp(E2V, PARTNER_AV, 3478, media, sport=MEDIA_PORTS[as_vip] + 2, rounds=25)


def answered_by_vip():
    """A translation of the destination that undoes itself on the way back."""
    return [Service("hlbext", AV, "udp", [3478], [E1V, E2V])]


def play_reply_node(op):
    ask_nodes(op, False)
    op.udp(HOME, AV, 3478, to_vip("udp"), leg=kept("udp"), server="coturn")


def play_reply_vip(op):
    """What was asked of a node is answered by the VIP; so are media sent.  To be asked as
    the VIP and to answer as it is no fault by itself."""
    ask_nodes(op, True)
    op.udp(HOME, AV, 3478, to_vip("udp"), leg=kept("udp"), server="coturn")
    if op.place == "outside":
        return
    for n, partner in enumerate((PARTNER, PARTNER_AV)):
        op.seen("udp", AV, MEDIA_PORTS[True] + 2 * n, partner, 3478, "rtp",
                bad("undocumented-path", finding="av-edge-snat", shows=["reply-from-vip"],
                    why="a port of the relay, with the VIP's address"))


# ---- what an Allocate answer gives ---------------------------------------------------------

ELSEWHERE = "192.0.2.200"
WRONG_RELAY = {E1V: [E1V, 40000, 40999], E2V: [ELSEWHERE, 50000, 59999]}


def giving(want, **gives):
    """An answer that gives the client what it must not."""
    return dict(want, findings=["av-edge-relay"], shows=[], gives=gives)


def play_relay(op, wrong):
    """coturn grants allocations on both nodes."""
    for who, node in ((HOME, E1V), (HOTEL, E2V)):
        want = doc("edge.1.9", "internal.4.5", **UDP)
        op.turn_session(who, node, 3478, giving(want, relay=WRONG_RELAY[node]) if wrong else want,
                        node, PARTNER, doc("edge.1.8"))


def play_alternate(op, wrong):
    """The answers, the 401 first of all, name the server to talk to."""
    want = doc("edge.1.9", "internal.4.5", **UDP)
    tcp = doc("edge.1.10", "internal.4.4")
    if wrong:
        want, tcp = (giving(w, alternate=[AV, 3478, 3478]) for w in (want, tcp))
    for who, node in ((HOME, E1V), (HOTEL, E2V)):
        op.relayed(who, node, want)
        op.relayed_tcp(who, node, tcp)


# ---- health checks ---------------------------------------------------------------------------

def looks_at_av(source, want):
    """Of the A/V nodes, TCP: open and close, a hello that nobody answers."""
    return [(node, 443, "connect", source, want, "none") for node in (E1V, E2V)]


def play_probes(op):
    """haproxy's checks, each way it has; and STUN, which it has not."""
    outer = looks_at_av(HLB_EXT, probe("edge.3.8"))
    outer += [(E1A, 443, "tls", HLB_EXT, probe("edge.3.3"), "tls"),
              (E2A, 5061, "connect", HLB_EXT, probe("edge.3.4"), None),
              (E1W, 443, "hello", HLB_EXT, probe("edge.3.6"), "tls")]
    for node, port in ((E1A, 443), (E2A, 5061), (E1W, 443), (FE1, 5061)):
        op.servers.ensure(node, port, "tcp", "tls")
    op.monitored("hlbext", outer)
    op.monitored("hlbint", [
        (FE1, 5061, "tls", HLB_INT2, probe("internal.2.1"), "tls"),
        (FE2, 443, "https", HLB_INT2,
         doc("internal.2.6", leg="balanced", why="data inside TLS: it may be a client's"), "tls"),
        (FE1, 8080, "head", HLB_INT2, probe("internal.2.5"), "http"),
        (FE2, 80, "head", HLB_INT2, probe("internal.2.4"), "http"),
        (DIR1, 443, "connect", HLB_INT2, probe("internal.2.17"), "none"),
        (E1I, 443, "connect", HLB_EDGE, probe("edge.4.5"), "none")])
    for node in (E1V, E2V):
        op.udp(HLB_EXT2, node, 3478, probe("edge.3.7", **UDP), server="coturn")
    op.udp(HOME, AV, 3478, to_vip("udp"), leg=kept("udp"), server="coturn")


def play_probes_vip(op):
    """The same looks at the A/V nodes, from the VIP: no VIP is the source of a probe."""
    op.monitored("hlbext", looks_at_av(AV, bad("undocumented-path", finding="av-edge-snat",
                                               shows=[], level="observed")))
    for node in (E1V, E2V):
        op.udp(AV, node, 3478, snat("rewritten-source", **UDP), server="coturn")


def ipvs():
    return [Service("hlbext", AV, t, [port], [E1V], by="ipvs")
            for t, port in (("tcp", 443), ("udp", 3478))]


def play_ipvs(op):
    ask(op, AV, clean("udp"), clean("tcp"), (HOME, HOTEL))


def later(op):
    """Somebody else is heard of, so that silence before means something."""
    if op.place == "behind":
        op.udp(HLB_EXT2, E2V, 3478, probe("edge.3.7", **UDP), server="coturn")
    else:
        op.udp(HOME, INET_DNS, 53, outside(basis="protocol"), server="dns")


REWRITES = {"av_udp_snat": HLB_EXT, "av_tcp_snat": AV}
TO_POOL = {"av_udp_snat": POOL_ADDRESS, "av_tcp_snat": POOL_ADDRESS}

DAYS = [
    # both legs in sight
    Day("lab-av-kept", "A/V through balancers that keep the source, both legs, UDP and TCP, "
        "outside and inside", play_kept),
    Day("lab-av-rewritten", "A/V through balancers that rewrite the source, both legs, UDP and "
        "TCP, outside and inside", play_rewritten,
        balancers=dict(REWRITES, internal_av_snat=HLB_EDGE)),
    Day("lab-av-pool", "A/V through a balancer that rewrites to an undeclared address, both legs",
        play_pool, balancers=TO_POOL),
    Day("lab-session-kept", "Sessions of coturn's client through a balancer that keeps the source",
        lambda op: play_session(op, False), services=one_member(False)),
    Day("lab-session-rewritten", "Sessions of coturn's client through a balancer that rewrites it",
        lambda op: play_session(op, True), services=one_member(True)),
    # one leg
    Day("lab-outside-kept", "A/V as a sensor outside sees it, the source kept",
        play_outside_kept, place="outside"),
    Day("lab-outside-rewritten", "A/V as a sensor outside sees it, the source rewritten",
        play_outside_rewritten, place="outside", balancers=REWRITES),
    Day("lab-outside-pool", "A/V as a sensor outside sees it, rewritten to an undeclared address",
        play_outside_pool, place="outside", balancers=TO_POOL),
    Day("lab-behind-kept", "A/V as a sensor behind the balancer sees it, the source kept",
        play_behind_kept, place="behind"),
    Day("lab-behind-rewritten", "A/V as a sensor behind the balancer sees it, rewritten",
        play_behind_rewritten, place="behind", balancers=REWRITES),
    # MS-TURN
    Day("lab-turn", "MS-TURN sessions as documented: media go to the real server", play_msturn,
        relays=relays, services=answered_inside, origin=BUILT),
    Day("lab-turn-sticky", "MS-TURN sessions whose media stay with the VIP", play_sticky,
        relays=relays, services=answered_inside, origin=BUILT),
    Day("lab-turn-rewritten", "MS-TURN sessions through a balancer that rewrites the source",
        play_turn_rewritten, relays=relays, balancers=REWRITES, origin=BUILT),
    # proxies
    Day("lab-proxy", "A/V by TCP through haproxy as a full proxy", play_proxy, services=proxy(),
        relays=av_and_tls, origin=BUILT),
    Day("lab-tproxy", "A/V by TCP through haproxy as a transparent proxy (TPROXY)", play_tproxy,
        services=proxy("all"), relays=av_and_tls, origin=BUILT),
    Day("lab-tproxy-port", "A/V by TCP through a transparent proxy that changes the port",
        play_tproxy_port, services=proxy("address"), relays=av_and_tls, origin=BUILT),
    # answers from the VIP
    Day("lab-reply-node", "A/V nodes that answer by their real addresses", play_reply_node),
    Day("lab-reply-vip", "A/V nodes whose answers and media leave as the VIP", play_reply_vip,
        services=answered_by_vip, faults=ANSWERS_AS_VIP),
    Day("lab-outside-reply-vip", "A/V nodes whose answers leave as the VIP, seen outside",
        play_reply_vip, services=answered_by_vip, faults=ANSWERS_AS_VIP, place="outside"),
    # what an allocation gives
    Day("lab-relay", "Relay ports out of range, and a relay address that is not the Edge's",
        lambda op: play_relay(op, True),
        relays=lambda: {"edge01": ["--min-port=40000", "--max-port=40999"],
                        "edge02": ["--external-ip=%s/%s" % (ELSEWHERE, E2V)]}),
    Day("lab-relay-right", "Relay addresses and ports as they should be",
        lambda op: play_relay(op, False)),
    Day("lab-alternate", "A/V nodes that name the VIP as the server to talk to",
        lambda op: play_alternate(op, True), origin=BUILT,
        relays=lambda: {"edge01": msturn.Server(E1V, alternate=AV),
                        "edge02": msturn.Server(E2V, alternate=AV)}),
    Day("lab-alternate-right", "A/V nodes that name themselves as the server to talk to",
        lambda op: play_alternate(op, False), origin=BUILT,
        relays=lambda: {"edge01": msturn.Server(E1V, alternate=E1V),
                        "edge02": msturn.Server(E2V, alternate=E2V)}),
    # monitors
    Day("lab-probes", "Health checks of haproxy, from the balancers' own addresses", play_probes),
    Day("lab-probes-vip", "Health checks of A/V nodes from the VIP", play_probes_vip),
    Day("lab-ipvs", "A/V through IPVS, the source kept", play_ipvs, services=ipvs,
        missing=balancers.ipvs_missing),
]

for day in DAYS:
    day.after = later

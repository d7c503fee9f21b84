"""MS-TURN, built byte by byte: no free server speaks it.

The layouts are those of the published description of Microsoft's TURN (the draft of
2005, not RFC 5766): a cookie attribute first, no padding, plain or XORed addresses,
on TCP a pseudo-TLS exchange and then frames.  It shares no code with lyncaudit.

What cannot be seen from outside is not played: passwords are never checked, and the
far side of a relay is the server itself, which sends back what it is sent.
"""

import hashlib
import hmac
import os
import socket
import struct

COOKIE = bytes.fromhex("72c64bc6")

ALLOCATE, ALLOCATED, REFUSED = 0x0003, 0x0103, 0x0113
SEND, DATA_INDICATION = 0x0004, 0x0115
SET_ACTIVE, ACTIVE = 0x0006, 0x0106

RELAY, USERNAME, INTEGRITY, ERROR, LIFETIME = 0x0001, 0x0006, 0x0008, 0x0009, 0x000D
ALTERNATE, MAGIC, BANDWIDTH, DESTINATION, REMOTE = 0x000E, 0x000F, 0x0010, 0x0011, 0x0012
DATA, NONCE, REALM, VERSION, XOR_MAPPED, SEQUENCE = (0x0013, 0x0014, 0x0015, 0x8008, 0x8020,
                                                     0x8050)
CONTROL, MEDIA = 2, 3  # kinds of frames on TCP

NAMES = (b"contoso.example", b"lab user blob", b"lab password")


def attribute(kind, value):
    """Nothing is padded."""
    return struct.pack("!HH", kind, len(value)) + value


def address(host, port, key=None):
    """key: the transaction id of an XORed one."""
    raw = struct.pack("!H", port) + socket.inet_aton(host)
    if key:
        raw = bytes(a ^ b for a, b in zip(raw, key[:2] + key[:4]))
    return b"\0\x01" + raw


def message(kind, ident, *attributes):
    body = attribute(MAGIC, COOKIE) + b"".join(attributes)
    return struct.pack("!HH", kind, len(body)) + ident + body


def signed(kind, ident, *attributes):
    """With the integrity attribute at its end, over a text that is filled up to 64 bytes."""
    realm, user, password = NAMES
    body = attribute(MAGIC, COOKIE) + b"".join(attributes)
    text = struct.pack("!HH", kind, len(body) + 24) + ident + body
    key = hashlib.md5(user + b":" + realm + b":" + password).digest()
    code = hmac.new(key, text + b"\0" * (-len(text) % 64), hashlib.sha1).digest()
    return text + attribute(INTEGRITY, code)


def read(data):
    """(kind, id, {attribute: value}) of a message."""
    kind, length = struct.unpack_from("!HH", data)
    found, at = {}, 20
    while at + 4 <= 20 + length:
        name, size = struct.unpack_from("!HH", data, at)
        found.setdefault(name, data[at + 4:at + 4 + size])
        at += 4 + size
    return kind, data[4:20], found


def frame(kind, body):
    return struct.pack("!BBH", kind, 0, len(body)) + body


def hello():
    """The client's part of the pseudo-TLS: 50 bytes, one suite, no extensions."""
    return bytes.fromhex("160301002d" "01000029" "0301") + os.urandom(32) + \
        bytes.fromhex("00" "00020018" "0100")


def hello_answer():
    """83 bytes: ServerHello and ServerHelloDone in one record."""
    return bytes.fromhex("160301004e" "02000046" "0301") + os.urandom(32) + b"\x20" + \
        os.urandom(32) + bytes.fromhex("001800" "0e000000")


def rtp(n, source=0x1ABCA5E5):
    """20 ms of RTAudio: version 2, payload type 114."""
    return struct.pack("!BBHII", 0x80, 114, 1000 + n, 320 * n, source) + b"\x5a" * 60


# ---- the server --------------------------------------------------------------------

class Server:
    """An A/V Edge: node is its real address, where it relays too.

    relay: another (address, port) that it says it relays at; alternate: the address
    that it names as its own.
    """

    def __init__(self, node, relay=None, alternate=None):
        self.node, self.relay, self.alternate = node, relay, alternate
        self.next_port = 50000

    def datagram(self, data, peer):
        if data[0] >> 6 == 2:
            return data[:8] + b"\x0b\xad\xca\xfe" + data[12:]  # media come back
        return self._answer(data, peer)

    def segment(self, data, peer):
        """One frame, or the hello, a segment."""
        if data[0] == 0x16:
            return hello_answer()
        if data[0] == CONTROL:
            return frame(CONTROL, self._answer(data[4:], peer))
        return frame(MEDIA, self.datagram(data[4:], peer))

    def _answer(self, data, peer):
        kind, ident, found = read(data)
        if kind == ALLOCATE and USERNAME not in found:
            return message(REFUSED, ident, attribute(ERROR, b"\0\0\x04\x01Unauthorized"),
                           attribute(NONCE, b"0123456789abcdef"), attribute(REALM, NAMES[0]),
                           attribute(VERSION, struct.pack("!I", 3)), *self._named())
        if kind == ALLOCATE:
            return self._allocated(ident, peer)
        if kind == SEND:
            return message(DATA_INDICATION, os.urandom(16), attribute(REMOTE, found[DESTINATION]),
                           attribute(DATA, found[DATA]))
        if kind == SET_ACTIVE:
            return signed(ACTIVE, ident)
        if kind == 1:  # plain STUN, as probes and ICE send it
            return b"\x01\x01\0\x0c" + ident + attribute(0x20, address(*peer[:2], key=ident))
        return None

    def _allocated(self, ident, peer):
        self.next_port += 2
        host, port = self.relay or (self.node, self.next_port)
        return signed(ALLOCATED, ident, attribute(RELAY, address(host, port)),
                      attribute(LIFETIME, struct.pack("!I", 600)),
                      attribute(BANDWIDTH, struct.pack("!I", 256)),
                      attribute(VERSION, struct.pack("!I", 3)),
                      attribute(SEQUENCE, os.urandom(20) + struct.pack("!I", 1)),
                      attribute(XOR_MAPPED, address(*peer[:2], key=ident)), *self._named())

    def _named(self):
        return [attribute(ALTERNATE, address(self.alternate, 3478))] if self.alternate else []


# ---- the client --------------------------------------------------------------------

def transaction(modern):
    """Clients of this time put RFC 5389's cookie first, older ones 16 random bytes."""
    return bytes.fromhex("2112a442") + os.urandom(12) if modern else os.urandom(16)


PEER = ("203.0.113.21", 50020)  # whom the media are for


def asking(modern=True):
    """The requests of a session up to the point from which media travel bare."""
    version = attribute(VERSION, struct.pack("!I", 3))
    name = [attribute(USERNAME, NAMES[1]), attribute(NONCE, b"0123456789abcdef"),
            attribute(REALM, NAMES[0])]
    to = attribute(DESTINATION, address(*PEER))
    return [message(ALLOCATE, transaction(modern), version),
            signed(ALLOCATE, transaction(modern), version, *name),
            signed(SEND, transaction(modern), version, *name, to, attribute(DATA, rtp(0))),
            signed(SET_ACTIVE, transaction(modern), version, *name, to)]


def frames(modern=True, rounds=10):
    """The same on TCP, with media."""
    return [frame(CONTROL, m) for m in asking(modern)] + \
        [frame(MEDIA, rtp(n)) for n in range(rounds)]

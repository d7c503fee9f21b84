"""Capture files, read and written by hand: enough to keep the lab honest.

The lab captures with tcpdump (classic pcap, nanoseconds).  What is shipped is
written from that by this file, so that a shipped pcapng says nothing about the
machine that made it.  It shares no code with lyncaudit, on purpose: the lab
checks its own truth with it before any audit is run.
"""

import socket
import struct


def read_pcap(path):
    """Yield (time_ns, captured bytes, original length) of a classic pcap."""
    with open(path, "rb") as f:
        head = f.read(24)
        magic = struct.unpack("<I", head[:4])[0]
        if magic == 0xA1B23C4D:
            scale = 1
        elif magic == 0xA1B2C3D4:
            scale = 1000
        else:
            raise ValueError("%s: not a little-endian pcap: magic %08x" % (path, magic))
        while True:
            rec = f.read(16)
            if len(rec) < 16:
                return
            sec, frac, cap, orig = struct.unpack("<IIII", rec)
            yield sec * 10**9 + frac * scale, f.read(cap), orig


def write_pcap(path, packets, nano=True):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4,
                            2, 4, 0, 0, 262144, 1))
        for t, data, orig in packets:
            frac = t % 10**9 if nano else t % 10**9 // 1000
            f.write(struct.pack("<IIII", t // 10**9, frac, len(data), orig))
            f.write(data)


def _option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _block(kind, body):
    total = 12 + len(body)
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


def write_pcapng(path, packets, comment):
    """One section, one Ethernet interface, nanoseconds."""
    with open(path, "wb") as f:
        shb = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        shb += _option(1, comment.encode()) + _option(4, b"lyncaudit tests/lab") + _option(0, b"")
        f.write(_block(0x0A0D0D0A, shb))
        idb = struct.pack("<HHI", 1, 0, 262144)
        idb += _option(2, b"mirror") + _option(9, b"\x09") + _option(0, b"")
        f.write(_block(1, idb))
        for t, data, orig in packets:
            epb = struct.pack("<IIIII", 0, t >> 32, t & 0xFFFFFFFF, len(data), orig)
            f.write(_block(6, epb + data + b"\0" * (-len(data) % 4)))


def read_pcapng(path):
    """Yield (time_ns, captured bytes, original length) of a file of write_pcapng."""
    with open(path, "rb") as f:
        raw = f.read()
    at = 0
    while at + 12 <= len(raw):
        kind, total = struct.unpack_from("<II", raw, at)
        if kind == 6:
            _, hi, lo, cap, orig = struct.unpack_from("<IIIII", raw, at + 8)
            yield (hi << 32) | lo, raw[at + 28:at + 28 + cap], orig
        at += total


def read_any(path):
    return read_pcapng(path) if path.endswith(".pcapng") else read_pcap(path)


def ends(frame):
    """(transport, src, sport, dst, dport, header offset) of a frame, or None.

    Ports are None for a fragment without its head and where the capture was cut.
    """
    if len(frame) < 34:
        return None
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800:
        ihl = (frame[14] & 15) * 4
        proto = frame[23]
        src = socket.inet_ntop(socket.AF_INET, frame[26:30])
        dst = socket.inet_ntop(socket.AF_INET, frame[30:34])
        headless = struct.unpack_from("!H", frame, 20)[0] & 0x1FFF != 0
        at = 14 + ihl
    elif kind == 0x86DD and len(frame) >= 54:
        proto = frame[20]
        src = socket.inet_ntop(socket.AF_INET6, frame[22:38])
        dst = socket.inet_ntop(socket.AF_INET6, frame[38:54])
        headless = False
        at = 54
    else:
        return None
    if proto not in (6, 17):
        return None
    transport = "tcp" if proto == 6 else "udp"
    if headless or len(frame) < at + 4:
        return transport, src, None, dst, None, at
    sport, dport = struct.unpack_from("!HH", frame, at)
    return transport, src, sport, dst, dport, at


def is_ip(frame):
    return frame[12:14] in (b"\x08\x00", b"\x86\xdd")


def ip_bytes(frame):
    """Length of the IP packet by its own header."""
    if struct.unpack_from("!H", frame, 12)[0] == 0x0800:
        return struct.unpack_from("!H", frame, 16)[0]
    return 40 + struct.unpack_from("!H", frame, 18)[0]


def conversations(path):
    """Set of (transport, end, end) with the ends in order: what was on the wire."""
    seen = {}
    for _, frame, _ in read_any(path):
        e = ends(frame)
        if e is None:
            continue
        transport, src, sport, dst, dport, _ = e
        a, b = sorted([(src, sport or 0), (dst, dport or 0)])
        key = (transport, a, b)
        seen[key] = seen.get(key, 0) + 1
    return seen

"""Read, sort, split and write pcapng for the properties.

Knows what the lab's captures hold: sections with interfaces and enhanced
packets, of either byte order.  Everything else in them is left out.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

SECTION, INTERFACE, ENHANCED = 0x0A0D0D0A, 1, 6


class Packet:
    def __init__(self, interface, time, body, order):
        self.interface, self.time, self.body, self.order = interface, time, body, order


class Capture:
    """One section: the interfaces as they stand in the file, and its packets."""

    def __init__(self, data):
        self.header, self.interfaces, self.packets = None, [], []
        at = 0
        while at < len(data):
            if data[at:at + 4] == struct.pack("<I", SECTION):
                if self.header is not None:
                    raise ValueError("more than one section")
                self.order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            kind, length = struct.unpack_from(self.order + "II", data, at)
            block = data[at:at + length]
            if kind == SECTION:
                self.header = block
            elif kind == INTERFACE:
                self.interfaces.append(block)
            elif kind == ENHANCED:
                interface, high, low = struct.unpack_from(self.order + "III", block, 8)
                self.packets.append(Packet(interface, high << 32 | low, block, len(self.packets)))
            at += length

    def resolutions(self):
        """The timestamp options of the interfaces: times compare only where these are equal."""
        return {tuple(self.options(block, 9)) for block in self.interfaces}

    def options(self, block, code):
        at = 16
        while at + 4 <= len(block) - 4:
            found, length = struct.unpack_from(self.order + "HH", block, at)
            if found == 0:
                return
            if found == code:
                yield block[at + 4:at + 4 + length]
            at += 4 + (length + 3) // 4 * 4

    def sorted(self):
        """All packets in order of time; those of one time as they stood."""
        return sorted(self.packets, key=lambda p: (p.time, p.order))

    def file(self, packets):
        """A whole file with all interfaces and these packets."""
        return b"".join([self.header, *self.interfaces, *(p.body for p in packets)])


def by_time(packets):
    """Runs of packets with the same time: who splits between them changes their order."""
    groups = []
    for packet in packets:
        if not groups or groups[-1][0].time != packet.time:
            groups.append([])
        groups[-1].append(packet)
    return groups

"""One capture of the lab: what happens in it, and on what network."""

REAL = "made by tests/lab/lab.sh: real programs in network namespaces"


class Day:
    """play(op) opens its connections; before(op) those that are older than the capture.

    place      where the sensor stands (netlab.Sensor)
    balancers  arguments of netlab.services
    services   makes the balanced services that take the place of those
    relays     makes what plays the A/V Edge (netlab.Servers.relay); None: coturn as it should be
    faults     what the outer balancer does beside (netlab.Network.balance)
    edit       packets in, packets out, before the file is written
    missing    says what this machine lacks for it, or nothing
    after      what happens once there was time to answer all that was asked, if anything
    """

    after = None

    def __init__(self, name, purpose, play, file=None, before=None, edit=None, balancers=None,
                 services=None, relays=None, faults=None, place=None, missing=None, origin=REAL):
        self.name, self.purpose, self.play = name, purpose, play
        self.file = file or name + ".pcapng"
        self.before, self.edit, self.balancers = before, edit, balancers or {}
        self.services = services or (lambda: [])
        self.relays = relays or (lambda: None)
        self.faults, self.place, self.missing, self.origin = faults, place, missing, origin

"""
What happens to the instances, as a table. Each scenario hits two of ten instances, one of gRPC and one of REST over
HTTP/1.1, unless it says otherwise; the eight others could answer every call.
"""
import signal
from typing import Callable, NamedTuple, Optional

from world import SILENT, DnsServer, Etcd, Network, eventually, no_loss, no_network

# What may become of calls that must not be executed twice (Write), and of responses that have begun (Follow).
KEPT = "none fails"
IN_FLIGHT = "those in flight when the fault begins may fail"
MAY_FAIL = "those that the instance may have got may fail"


class Scenario(NamedTuple):
    name: str
    what: str                                   # for docs/resilience.md
    unsafe: str                                 # KEPT, IN_FLIGHT or MAY_FAIL
    begin: Callable                             # begin(world)
    end: Callable                               # end(world)
    during: Optional[Callable] = None           # during(world, n), about three times a second
    prepare: Optional[Callable] = None          # prepare(world), before the gateway starts
    earned: float = 0                           # seconds of calls before, at least: whose share the retry budget is
    others: bool = True                         # whether other instances could answer
    relayed: bool = True                        # whether it happens at relays, which count their acts
    proof: Callable = lambda world: None        # what must hold in the end
    needs: Callable = lambda: None              # why it cannot run here, or None


def nothing(world):
    pass


def mend(world):
    world.mend()


def relay(*, breaking=False, **fault):
    """begin: the relays of the hit instances do this."""
    return lambda world: world.fault(breaking=breaking, **fault)


def relay_all(*, breaking=False, **fault):
    return lambda world: world.fault(*world.instances, breaking=breaking, **fault)


def mend_all(world):
    world.mend(*world.instances)


# ---- Processes ----------------------------------------------------------------------------------------

def prepare_direct(world):
    """There is no relay before the instances, which would take connections that they refuse."""
    for number in (0, 1):
        instance = world.instances[number]
        world.entries[number] = instance.entry(port=instance.backend[1])


def kill(world):
    for number in (0, 1):
        world.fleet.processes[number].kill()


def revive(world):
    for number in (0, 1):
        world.fleet.start(number)


def signal_hit(number):
    return lambda world: [world.fleet.processes[i].child.send_signal(number) for i in (0, 1)]


def flap(world, n):
    """Down for a third of a second, up for as long."""
    world.fault(breaking=n % 2 == 0, **({"refuse": True} if n % 2 == 0 else {}))


def roll(world, n):
    """One instance after the other, the whole fleet round, is not there for a third of a second."""
    before, now = (world.instances[(n + i) % len(world.instances)] for i in (-1, 0))
    world.mend(before)
    world.fault(now, refuse=True, breaking=True)


# ---- TLS ----------------------------------------------------------------------------------------------

def prepare_tls(world):
    """The first instance has TLS, and stands behind a relay that can lead to one with another certificate."""
    world.hit = [world.instances[0]]
    world.entries[0] = world.instances[0].entry(more=f", tls: {{ca: '{world.fleet.folder}/good.pem', name: localhost}}")
    lead(world, world.fleet.good, http2=False)


def lead(world, instance, **more):
    world.relay.order(world.instances[0].port, to=instance.backend, **more)


def wrong_certificate(world):
    lead(world, world.fleet.wrong, **{"break": True})


def right_certificate(world):
    lead(world, world.fleet.good)


# ---- Names --------------------------------------------------------------------------------------------

def prepare_names(world):
    """All instances are known by name only."""
    names = {f"mail{i}.test": ["127.0.0.1"] for i in range(len(world.instances))}
    world.dns = world.running.enter_context(DnsServer(dict(names)))
    world.names = names
    world.settings = f"dns: {{servers: ['{world.dns.address}'], timeout: 200ms, attempts: 2}}"
    world.entries = [instance.entry(host=f"mail{i}.test") for i, instance in enumerate(world.instances)]


def names_silent(world):
    world.dns.names = {name: SILENT for name in world.names}


def names_unknown(world):
    world.dns.names = {}


def names_back(world):
    world.dns.names = dict(world.names)


def break_one(world, n):
    """One connection after the other has to be opened again, while there are no names."""
    world.fault(world.instances[n % len(world.instances)], breaking=True)


# ---- etcd ---------------------------------------------------------------------------------------------

def prepare_etcd(world):
    """The instances are those that etcd lists."""
    world.etcd = Etcd(world.folder, world.running)
    list_in_etcd(world)
    etcd = f"{{endpoints: ['127.0.0.1:{world.etcd.port}'], prefix: /mail/, silence: 1s}}"
    world.listed = f"discovery: {{etcd: {etcd}, timeout: 1s}}"


def list_in_etcd(world):
    for instance, entry in zip(world.instances, world.entries):
        world.etcd.put(instance.name, entry)


def etcd_gone(world):
    world.etcd.stop()
    world.etcd.forget()


def etcd_anew(world):
    """It knows nothing, and counts its revisions from the beginning."""
    world.etcd.start()
    list_in_etcd(world)


def etcd_is_heard(world):
    """What changes in the new etcd is seen."""
    world.etcd.delete(world.instances[-1].name)
    eventually(lambda: world.listed_now() == len(world.instances) - 1)


# ---- Networks of their own ------------------------------------------------------------------------------

def prepare_network(*numbers):
    """These instances live in a network of their own, and there is no relay before them."""
    def prepare(world):
        world.network = Network(world.running)
        world.hit = [world.instances[number] for number in numbers]
        moved = []
        for instance, number in zip(world.hit, numbers):
            copy = type(instance)(instance.kind, instance.name)
            copy.own = f"{world.network.there}:{copy.port}"
            world.entries[number] = copy.entry(host=world.network.there, more=world.more[number])
            moved.append(copy)
        process = world.fleet.process(*moved, under=["ip", "netns", "exec", world.network.name])
        world.running.callback(process.kill)
        for instance in moved:
            eventually(lambda instance=instance: world.network.reaches(instance.port))
    return prepare


CELL = (0, 1, 2, 6)  # four of ten: of each kind one and another


def prepare_cell(own):
    """These four are a cell: the gateway's own, or another one."""
    def prepare(world):
        world.settings = f"cell: {'here' if own else 'there'}\ncells: {{spill: 100}}"
        world.more = [f", cell: {'here' if i in CELL else 'there'}" for i in range(len(world.instances))]
        world.entries = [instance.entry(more=more) for instance, more in zip(world.instances, world.more)]
        prepare_network(*CELL)(world)
    return prepare


def black_hole(world):
    """What the instances send goes nowhere, and nobody is told."""
    world.network.inside("route", "add", "blackhole", f"{world.network.here}/32")


def no_black_hole(world):
    world.network.inside("route", "del", "blackhole", f"{world.network.here}/32")


def unreachable(world):
    """The gateway's own machine knows no way."""
    world.network.ip("route", "add", "unreachable", f"{world.network.there}/32")


def reachable(world):
    world.network.ip("route", "del", "unreachable", f"{world.network.there}/32")


def cut(world):
    world.network.inside("link", "set", world.network.far, "down")


def uncut(world):
    world.network.inside("link", "set", world.network.far, "up")


def lose(world):
    world.network.lose("20%")


def lose_none(world):
    world.network.lose("0%")


SCENARIOS = (
    Scenario("calm", "Nothing: what the harness itself may not fail at.", KEPT, nothing, nothing, relayed=False),
    # Behind relays.
    Scenario("latency", "Each piece to and from the instances takes 200 ms longer.", KEPT, relay(delay=0.2), mend),
    Scenario("slow", "Responses trickle with 400 bytes per second.", MAY_FAIL, relay(rate=400), mend),
    Scenario("resets", "Each connection is reset after 50 to 4,000 bytes of responses.", MAY_FAIL,
             relay(reset=[50, 4000]), mend),
    Scenario("truncation", "Each connection ends in the middle of a response.", MAY_FAIL, relay(cut=[50, 4000]), mend),
    Scenario("garbage", "Random bytes come in place of responses.", MAY_FAIL, relay(garbage=True), mend),
    Scenario("refused", "Nobody listens; what was connected is reset.", IN_FLIGHT,
             relay(refuse=True, breaking=True), mend),
    Scenario("silent", "Connections stay, new ones are accepted, and nothing passes. They stay silent afterwards.",
             MAY_FAIL, relay(swallow="both"), mend),
    Scenario("half open", "Requests arrive and are executed, responses do not come; nor afterwards on these "
             "connections.", MAY_FAIL, relay(swallow="down"), mend),
    Scenario("goaway", "A GOAWAY after each third call on every connection to all instances of gRPC.", KEPT,
             relay_all(goaway=3), mend_all),
    Scenario("flapping", "Refused for a third of a second, there for a third, and so on.", MAY_FAIL, nothing, mend,
             during=flap),
    Scenario("rolling", "One instance after the other, the whole fleet round, is away for a third of a second.",
             MAY_FAIL, nothing, mend_all, during=roll),
    Scenario("all gone", "No instance can be reached.", MAY_FAIL, relay_all(refuse=True, breaking=True), mend_all,
             others=False),
    Scenario("all silent", "No instance says anything, nor afterwards on connections from before.", MAY_FAIL,
             relay_all(swallow="both"), mend_all, others=False),
    # Processes.
    Scenario("killed", "The instances are killed, and started again at the end.", IN_FLIGHT, kill, revive,
             prepare=prepare_direct, relayed=False),
    Scenario("stopped", "The instances are stopped (SIGSTOP), and go on at the end.", MAY_FAIL,
             signal_hit(signal.SIGSTOP), signal_hit(signal.SIGCONT), prepare=prepare_direct, relayed=False),
    # What is around them.
    Scenario("wrong certificate", "An instance comes back with a certificate that nobody has signed.", IN_FLIGHT,
             wrong_certificate, right_certificate, prepare=prepare_tls),
    Scenario("no DNS", "All instances are known by name, the name server is silent, and connections break.", MAY_FAIL,
             names_silent, names_back, during=break_one, prepare=prepare_names),
    Scenario("no names", "The same with a name server that knows no name any more: it says that they are gone, and is "
             "believed.", MAY_FAIL, names_unknown, names_back, during=break_one, prepare=prepare_names, others=False),
    Scenario("no etcd", "All instances are listed in etcd, which is gone, while connections break. Another one comes, which "
             "has to be told all instances anew, at lower revisions.", MAY_FAIL, etcd_gone, etcd_anew, during=break_one,
             prepare=prepare_etcd, proof=etcd_is_heard),
    # In networks of their own.
    Scenario("black hole", "Packets from the instances go nowhere.", MAY_FAIL, black_hole, no_black_hole,
             prepare=prepare_network(0, 1), needs=no_network, relayed=False),
    Scenario("unreachable", "There is no route to the instances.", MAY_FAIL, unreachable, reachable,
             prepare=prepare_network(0, 1), needs=no_network, relayed=False),
    Scenario("cell cut off", "The link to the gateway's own cell is down: four of ten instances, which had all calls.",
             MAY_FAIL, cut, uncut, prepare=prepare_cell(own=True), earned=4, needs=no_network, relayed=False),
    Scenario("other cell cut off", "The link to another cell is down, which has four of ten instances.", KEPT,
             cut, uncut, prepare=prepare_cell(own=False), needs=no_network, relayed=False),
    Scenario("packet loss", "20 % of the packets are lost, in both directions.", KEPT, lose, lose_none,
             prepare=prepare_network(0, 1), needs=no_loss, relayed=False),
)

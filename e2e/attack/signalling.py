"""Attacks by way of the tracker's relays: on who may reach whom, how often, with what, and who learns of whom."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.introductions import MEMORY_S
from peerpool.core.limits import Limits, Rate
from peerpool.core.places import Place

from e2e.attack.caller import Caller, Message
from e2e.attack.outcomes import Figure, Outcome
from e2e.harness.raw_frames import masked
from e2e.harness.tracker import PEERPOOL, Tracker
from tests.core.driver import CONTENT, OTHER_CONTENT, SESSION, Driver

# Without the map all of this machine is one site, which pays for its floods together.
NETWORKS: Final = "network,site\n127.0.0.0/16,theirs\n127.9.0.0/16,ours\n"
HONEST_ADDRESS: Final = "127.9.0.9"
UNBOUNDED: Final = Rate(1e12, 1e12)
NO_LIMITS: Final = Limits(
    connection_rate=UNBOUNDED, site_rate=UNBOUNDED, swarm_rate=UNBOUNDED, max_known=10**9, max_known_per_mate=10**9
)
MARK_S: Final = 5.0
OFFERS: Final = 10_000
MEMBERS: Final = 2_000
HOUR_S: Final = 3600.0
NEWCOMERS_PER_MIN: Final = 6


def located_tracker(folder: Path, program: Sequence[str] = (PEERPOOL,)) -> Tracker:
    """Return a tracker to which attackers and honest members are not one and the same office."""
    folder.mkdir(parents=True, exist_ok=True)
    networks = folder / "networks.csv"
    networks.write_text(NETWORKS)
    return Tracker(folder, env={"PEERPOOL_SITE_MAP": str(networks)}, program=program)


def offer(to: str, sdp: str = "v=0", **forged: str) -> Message:
    return {"type": "offer", "to": to, "sdp": sdp, **forged}


async def foreign_relay(tracker: Tracker) -> Outcome:
    """Messages of every kind to a member of another swarm, whose peer id has leaked, in an insider's name."""
    async with Caller(tracker.port) as victim, Caller(tracker.port) as insider, Caller(tracker.port) as outsider:
        await victim.join(CONTENT)
        await insider.join(CONTENT)
        await outsider.join(OTHER_CONTENT)
        forged = {"to": victim.peer, "from": insider.peer}
        candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.9 9 typ host", "mid": "0", "line": 0}
        for message in (
            offer(victim.peer, "stranger", **{"from": insider.peer}),
            {"type": "answer", "sdp": "stranger", **forged},
            {"type": "candidate", **candidate, **forged},
            {"type": "decline", **forged},
        ):
            await outsider.say(message)
        told = await outsider.hear_of({"gone"}, MARK_S)
        await insider.say(offer(victim.peer, "mark"))
        heard = await victim.hear_of({"offer", "answer", "candidate", "decline"}, MARK_S)
        arrived = heard is not None and heard.get("sdp") == "mark"
        broken = [] if arrived or heard is None else [f"the victim heard {heard}"]
        return Outcome(heard is not None, broken, {"the outsider is told": str((told or {}).get("type"))})


async def forged_sender(tracker: Tracker) -> Outcome:
    """Offer in another's name, from inside the swarm."""
    async with Caller(tracker.port) as victim, Caller(tracker.port) as innocent, Caller(tracker.port) as insider:
        for caller in (victim, innocent, insider):
            await caller.join(CONTENT)
        await insider.say(offer(victim.peer, **{"from": innocent.peer, "peer": innocent.peer}))
        heard = await victim.hear_of({"offer"}, MARK_S) or {}
        broken = [] if heard.get("from") == insider.peer else [f"the victim heard {heard}"]
        return Outcome(bool(heard), broken, {"said to be of": "its sender" if not broken else "another"})


async def unasked(tracker: Tracker) -> Outcome:
    """Answers and candidates nobody waits for, from inside the swarm."""
    async with Caller(tracker.port) as victim, Caller(tracker.port) as insider:
        await victim.join(CONTENT)
        await insider.join(CONTENT)
        candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.9 9 typ host", "mid": "0", "line": 0}
        for _ in range(20):
            await insider.say({"type": "answer", "to": victim.peer, "sdp": "v=0"})
            await insider.say({"type": "candidate", "to": victim.peer, **candidate})
        await insider.say(offer(victim.peer))
        await insider.say({"type": "candidate", "to": victim.peer, **candidate})
        heard = [await victim.hear_of({"offer", "answer", "candidate"}, MARK_S) for _ in range(2)]
        kinds = [message["type"] for message in heard if message]
        broken = [] if kinds[:1] == ["offer"] else [f"the victim heard {kinds}"]
        return Outcome(kinds[-1:] == ["candidate"], broken, {"relayed of 40": 40 if broken else 0})


async def giant_sdp(tracker: Tracker) -> Outcome:
    """Descriptions at the bound, above it, and larger than a frame may be."""
    async with Caller(tracker.port) as victim, Caller(tracker.port) as insider:
        await victim.join(CONTENT)
        await insider.join(CONTENT)
        await insider.say(offer(victim.peer, "s" * c.MAX_SDP_CHARS))
        control = await victim.hear_of({"offer"}, MARK_S)
        await insider.say(offer(victim.peer, "s" * (c.MAX_SDP_CHARS + 1)))
        refused = await insider.hear_of({"error"}, MARK_S)
        await insider.say(offer(victim.peer, "s" * (1 << 20)))
        code = await insider.close_code(MARK_S)
        await victim.say({"type": "ping"})
        heard = await victim.hear_of({"offer", "pong"}, MARK_S) or {}
        broken = [] if heard.get("type") == "pong" else [f"the victim heard {heard.get('type')}"]
        broken += [] if code == c.CLOSE_TOO_BIG else [f"1 MiB was closed with {code}"]
        figures: dict[str, Figure] = {"above the bound": str((refused or {}).get("code")), "1 MiB closes": str(code)}
        return Outcome(control is not None, broken, figures)


async def offer_flood(tracker: Tracker) -> Outcome:
    """10,000 offers at once from one socket to one victim, while others join."""
    control, _ = _flooded_core(NO_LIMITS)
    async with Caller(tracker.port) as victim, Caller(tracker.port) as flooder:
        await victim.join(CONTENT)
        await flooder.join(CONTENT)
        quiet_ms = await joins_ms(tracker, 40)
        frame = masked(f'{{"type":"offer","to":"{victim.peer}","sdp":"{"s" * 500}"}}'.encode())
        transport = flooder.socket.transport
        begun_s = time.monotonic()
        joins = asyncio.create_task(joins_ms(tracker, 40))
        for _ in range(OFFERS // 100):
            transport.write(frame * 100)
            await asyncio.sleep(0)
        code = await flooder.close_code(10)
        flood_s = time.monotonic() - begun_s
        under_ms = await joins
        received = 0
        while await victim.hear_of({"offer"}, 0.5):
            received += 1
    broken = [] if received <= 500 else [f"the victim was given {received} offers"]
    broken += [] if code in {c.CLOSE_RATE, 1006} else [f"the flooder was closed with {code}"]
    broken += [] if max(under_ms) < 1000 else [f"an honest join took {max(under_ms):.0f} ms"]
    ratio = statistics.median(under_ms) / statistics.median(quiet_ms)
    figures: dict[str, Figure] = {"without limits": control, "relayed": received, "closed": str(code)}
    figures |= {"after s": flood_s, "honest join ms": statistics.median(under_ms), "x": ratio}
    return Outcome(control == OFFERS, broken, figures)


async def joins_ms(tracker: Tracker, count: int) -> list[float]:
    """Join as honest viewers elsewhere do; return how long each took, handshake included."""
    took: list[float] = []
    for _ in range(count):
        begun_s = time.monotonic()
        async with Caller(tracker.port, source=HONEST_ADDRESS) as caller:
            answer = await caller.join(OTHER_CONTENT)
            assert answer["type"] == "welcome", answer
            took.append((time.monotonic() - begun_s) * 1000)
    return took


def _flooded_core(limits: Limits) -> tuple[int, int | None]:
    """Flood the core of a tracker; return what the victim was given, and how the flooder was closed."""
    driver = Driver(limits)
    victim, flooder = driver.open(), driver.open()
    for connection in (victim, flooder):
        driver.say(connection, m.Join(CONTENT, SESSION))
    to = next(message for message in driver.inboxes[victim] if isinstance(message, m.Welcome)).peer
    for _ in range(OFFERS):
        driver.say(flooder, m.Offer(to, "v=0"))
    return sum(isinstance(message, m.OfferFrom) for message in driver.inboxes[victim]), driver.closes.get(flooder)


def enumeration(sockets: int) -> Outcome:
    """Ask for neighbours for an hour, from one address with so many sockets, leaving and joining again in between."""
    control = _learnt(NO_LIMITS, 1, 60.0)
    bounds = {"a minute": 60.0, "an hour": HOUR_S}
    learnt = {name: _learnt(Limits(), sockets, for_s) for name, for_s in bounds.items()}
    most = {name: _learnt_max(sockets, for_s) for name, for_s in bounds.items()}
    broken = [f"{learnt[name]} were learnt in {name}, not {most[name]}" for name in bounds if learnt[name] > most[name]]
    figures: dict[str, Figure] = {"members": MEMBERS, "without limits in a minute": control}
    figures |= {f"in {name}": f"{learnt[name]} of at most {most[name]}" for name in bounds}
    return Outcome(control > most["an hour"], broken, figures)


def _learnt_max(sockets: int, for_s: float) -> int:
    """Return how many one line may learn of while nobody leaves, as SECURITY.md says."""
    limits = Limits()
    return int((limits.max_known + limits.max_known_per_mate * (sockets - 1)) * (1 + for_s / MEMORY_S))


def _learnt(limits: Limits, sockets: int, for_s: float) -> int:
    """Return how many distinct members the sockets of one address learn of; they ask every other second."""
    driver = Driver(replace(limits, idle_timeout_s=2 * HOUR_S))  # the others say nothing
    for number in range(MEMBERS):
        driver.say(driver.open(place=Place(site=f"line {number}")), m.Join(CONTENT, SESSION, want=0))
    place = Place(site="attacker")
    own = [driver.open(place=place) for _ in range(sockets)]
    learnt: set[str] = set()
    ours: set[str] = set()
    for turn in range(int(for_s / 2) + 1):
        for number in range(sockets):
            if turn % 20 == 10:
                driver.hang_up(own[number])
                own[number] = driver.open(place=place)
            rejoins = turn % 10 == 0
            said = m.Join(CONTENT, SESSION, want=c.WANT_MAX) if rejoins else m.Want(c.WANT_MAX)
            driver.say(own[number], said, m.Report(0, 0, 0, 0, 0))  # "I have no neighbours": newcomers are sent there
            for message in driver.take(own[number]):
                learnt.update(message.neighbours if isinstance(message, m.Welcome | m.Neighbours) else ())
                ours.update({message.peer} if isinstance(message, m.Welcome) else ())
        if turn % (30 // NEWCOMERS_PER_MIN) == 0:
            newcomer, peer_id = driver.join(place=Place(site=f"newcomer {turn}"))
            if not ours.isdisjoint(driver.last(newcomer, m.Welcome).neighbours):
                learnt.add(peer_id)  # it will offer
        driver.wait(2.0)
    return len(learnt - ours)


def false_accusations(voters: int = 30) -> Outcome:
    """Many sockets of one line accuse a member they are connected to; three lines are what bans."""
    control = _banned(lines=3, voters=3)
    banned = _banned(lines=1, voters=voters)
    broken = ["one line had an honest member banned"] if banned else []
    return Outcome(control, broken, {"accusers of one line": voters})


def _banned(lines: int, voters: int) -> bool:
    driver = Driver()
    crowd = [driver.open(place=Place(site=f"line {number}")) for number in range(10)]
    accusers = [driver.open(place=Place(site=f"hostile {number % lines}")) for number in range(voters)]
    for connection in (*crowd, *accusers):
        driver.say(connection, m.Join(CONTENT, SESSION, want=0))
    ids = {at: next(w.peer for w in driver.inboxes[at] if isinstance(w, m.Welcome)) for at in (*crowd, *accusers)}
    innocent = crowd[0]
    for accuser in accusers:
        driver.say(accuser, m.Offer(ids[innocent], "v=0"))
        driver.say(innocent, m.Answer(ids[accuser], "v=0"))
        driver.say(accuser, m.Accuse(ids[innocent]))
    return innocent in driver.closes

"""The way to other trackers, over Redis: digests of swarms, totals, and messages for members of other nodes.

Redis keeps nothing: it is only asked to publish (what is known is in core/federation.py and core/nodes.py, and is
forgotten by itself). A node listens to a channel of its own, to one of all nodes, and to one for each swarm in which it
has members. While Redis is away the node goes on alone, says so once, and tries again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import parse_url
from redis.exceptions import RedisError

from peerpool.core.errors import ConfigError
from peerpool.core.federation import DIGEST_INTERVAL_S, Digest
from peerpool.core.nodes import Nodes, NodeTotals, totals_of
from peerpool.core.state import Forward, Relayed
from peerpool.core.swarm import Family
from peerpool.signalling import Hub

log = logging.getLogger("peerpool.bus")

PREFIX: Final = "peerpool.1"
NODES_CHANNEL: Final = f"{PREFIX}:nodes"
# Longest message taken from the bus: an offer with its envelope, or a digest, is a quarter of it.
MAX_MESSAGE_BYTES: Final = 65_536
# Messages that wait for Redis: a second of a busy node's. More would come too late to be of use.
QUEUE_MAX: Final = 10_000
# Published in one round trip.
PIPELINE_MAX: Final = 1_000
RETRY_MIN_S: Final = 0.5
RETRY_MAX_S: Final = 5.0
# Redis that does not answer for so long is away.
TIMEOUT_S: Final = 5.0
EXPIRE_INTERVAL_S: Final = 1.0


class Envelope(msgspec.Struct, frozen=True):
    """A message for a member of the receiving node, and who sent it."""

    node: str
    relayed: Relayed


class Bus:
    """This node among others."""

    def __init__(self, hub: Hub, url: str) -> None:
        """Nothing is connected before `run`. Raises ConfigError for what is no URL of a Redis."""
        try:
            parse_url(url)
        except ValueError as error:
            raise ConfigError(f"redis_url: {error}") from None
        self.node = secrets.token_hex(4)
        self.is_joined = False
        self.dropped = 0
        self._hub = hub
        self._url = url
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(QUEUE_MAX)
        self._subscribed: set[str] = set()
        self._nodes = Nodes()
        self._digests = msgspec.json.Decoder(Digest)
        self._totals = msgspec.json.Decoder(NodeTotals)
        self._envelopes = msgspec.json.Decoder(Envelope)
        self._encode = msgspec.json.Encoder().encode

    def own_totals(self) -> NodeTotals:
        """Return what this node counts."""
        return totals_of(self.node, self._hub.tracker.swarms, self._hub.tracker.totals)

    def other_totals(self) -> list[NodeTotals]:
        """Return what the other nodes count, of those that were heard of late."""
        return self._nodes.alive(self._hub.now())

    async def run(self) -> None:
        """Take part for as long as the task lives."""
        self._hub.forward = self._forward
        expiry = asyncio.create_task(self._expire())
        delay_s = RETRY_MIN_S
        try:
            while True:
                try:
                    await self._take_part()
                except (RedisError, OSError) as error:
                    if self.is_joined or delay_s == RETRY_MIN_S:
                        log.warning("Redis is away (%s): this tracker goes on alone", error)
                    delay_s = RETRY_MIN_S if self.is_joined else min(2 * delay_s, RETRY_MAX_S)
                    self.is_joined = False
                await asyncio.sleep(delay_s * random.uniform(0.5, 1))  # noqa: S311 - nodes do not come back together
        finally:
            expiry.cancel()

    async def _take_part(self) -> None:
        async with Redis.from_url(self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as redis:
            await cast(Awaitable[bool], redis.ping())
            pubsub = redis.pubsub(ignore_subscribe_messages=True)
            self._subscribed = set()
            await pubsub.subscribe(_own_channel(self.node), NODES_CHANNEL)
            self._joined()
            parts = (self._listen(pubsub), self._write(redis), self._tell(pubsub))
            tasks = [asyncio.create_task(part) for part in parts]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                with suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]

    def _joined(self) -> None:
        self.is_joined = True
        while not self._queue.empty():
            self._queue.get_nowait()  # of before: nobody waits for it any more
        log.warning("this tracker is node %s on Redis, and shares its swarms", self.node)

    async def _listen(self, pubsub: PubSub) -> None:
        """Take what comes. A broken connection raises."""
        takers = {_own_channel(self.node).encode(): self._take_relay, NODES_CHANNEL.encode(): self._take_totals}
        while True:
            message = await pubsub.get_message(timeout=TIMEOUT_S)
            if message is None or len(message["data"]) > MAX_MESSAGE_BYTES:
                continue
            try:
                takers.get(message["channel"], self._take_digest)(message["data"])
            except msgspec.MsgspecError as error:
                log.warning("a message on Redis is not of this version: %s", error)

    def _take_relay(self, data: bytes) -> None:
        envelope = self._envelopes.decode(data)
        self._hub.perform(self._hub.tracker.relay_received(envelope.node, envelope.relayed, self._hub.now()))

    def _take_digest(self, data: bytes) -> None:
        digest = self._digests.decode(data)
        if digest.node != self.node:
            self._hub.perform(self._hub.tracker.digest_received(digest, self._hub.now()))

    def _take_totals(self, data: bytes) -> None:
        told = self._totals.decode(data)
        if told.node != self.node:
            self._nodes.heard(told, self._hub.now())

    async def _write(self, redis: Any) -> None:
        """Publish what waits, as much as there is at once."""
        while True:
            waiting = [await self._queue.get()]
            while not self._queue.empty() and len(waiting) < PIPELINE_MAX:
                waiting.append(self._queue.get_nowait())
            pipeline = redis.pipeline(transaction=False)
            for channel, data in waiting:
                pipeline.publish(channel, data)
            await pipeline.execute()

    async def _tell(self, pubsub: PubSub) -> None:
        """Listen to the swarms that have members here, and tell of them, every so often."""
        while True:
            swarms = self._hub.tracker.swarms
            wanted = {
                _swarm_channel(one.key.info_hash, one.key.site) for one in swarms if one.key.family is Family.NATIVE
            }
            if new := wanted - self._subscribed:
                await pubsub.subscribe(*new)
            if old := self._subscribed - wanted:
                await pubsub.unsubscribe(*old)
            self._subscribed = wanted
            for digest in self._hub.tracker.digests(self.node):
                self._put(_swarm_channel(digest.content, digest.site), self._encode(digest))
            self._put(NODES_CHANNEL, self._encode(self.own_totals()))
            await asyncio.sleep(DIGEST_INTERVAL_S)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_INTERVAL_S)
            self._hub.perform(self._hub.tracker.expire_views(self._hub.now()))

    def _forward(self, command: Forward) -> None:
        if self.is_joined:
            self._put(_own_channel(command.node), self._encode(Envelope(self.node, command.relayed)))

    def _put(self, channel: str, data: bytes) -> None:
        try:
            self._queue.put_nowait((channel, data))
        except asyncio.QueueFull:
            self.dropped += 1


def _own_channel(node: str) -> str:
    return f"{PREFIX}:node:{node}"


def _swarm_channel(content: str, site: str) -> str:
    return f"{PREFIX}:swarm:{content}:{site}" if site else f"{PREFIX}:swarm:{content}"

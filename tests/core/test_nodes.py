from __future__ import annotations

from peerpool.core import messages as m
from peerpool.core.federation import LEASE_S
from peerpool.core.nodes import NODES_MAX, Nodes, NodeTotals, sum_of, totals_of

from tests.core.driver import Driver


def told(node: str, members: int = 1, **names: int) -> NodeTotals:
    return NodeTotals(node, {"native": members, "webtorrent": 0, **names}, 2, 0, {"offer": 3}, {"peer": 4}, 5)


def test_a_node_tells_what_it_counts() -> None:
    driver = Driver()
    connection, _ = driver.join()
    driver.say(connection, m.Report(10, 14, 22, 3, 1))
    own = totals_of("us", driver.tracker.swarms, driver.tracker.totals)
    assert (own.members, own.joins, own.stalls) == ({"native": 1, "webtorrent": 0}, 1, 1)
    assert own.bytes["cdn"] == 14


def test_nodes_are_added_up_by_our_own_names() -> None:
    added = sum_of(told("us"), [told("a", 10), told("b", 100, invented=7)])
    assert added == NodeTotals("us", {"native": 111, "webtorrent": 0}, 6, 0, {"offer": 9}, {"peer": 12}, 15)


def test_a_node_is_forgotten_a_lease_after_it_was_heard() -> None:
    nodes = Nodes()
    nodes.heard(told("a"), 0)
    nodes.heard(told("b"), 1)
    nodes.heard(told("b", 5), 1)
    assert nodes.alive(LEASE_S - 0.1) == [told("a"), told("b", 5)]
    assert nodes.alive(LEASE_S) == [told("b", 5)]
    assert nodes.alive(LEASE_S + 1) == []


def test_invented_nodes_are_bounded() -> None:
    nodes = Nodes()
    for number in range(NODES_MAX + 9):
        nodes.heard(told(f"node {number}"), 0)
    assert len(nodes.alive(0)) == NODES_MAX

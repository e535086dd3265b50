from __future__ import annotations

import socket
import ssl

import pytest
from aioice import stun
from peerpool.core.ice import ServerUrl
from peerpool.ice_advice import ADVICE, Finding, explain, explain_stun, mapping_text, shown

UDP = ServerUrl("turn", "turn.example", 3478, "udp")
TLS = ServerUrl("turns", "turn.example", 443, "tls")
HERE = ("192.168.1.2", 5)


def failed(code: int) -> stun.TransactionFailed:
    error = {"ERROR-CODE": (code, "why")}
    return stun.TransactionFailed(stun.Message(stun.Method.ALLOCATE, stun.Class.ERROR, attributes=error))


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed"
    return error


@pytest.mark.parametrize(
    ("error", "url", "said"),
    [
        (failed(401), UDP, "refuses: 401 why"),
        (failed(508), UDP, "refuses: 508 why"),
        (failed(599), UDP, "refuses: 599 why"),
        (stun.TransactionTimeout(), UDP, "does not answer"),
        (TimeoutError(), TLS, "does not answer"),
        (untrusted(), TLS, "certificate: self-signed"),
        (ssl.SSLError("wrong version"), TLS, "does not speak TLS"),
        (ConnectionResetError(), TLS, "does not speak TLS"),
        (ConnectionRefusedError(), TLS, "nothing listens"),
        (socket.gaierror(-2, "Name not known"), UDP, "Name not known"),
        (OSError(101, "Network is unreachable"), UDP, "cannot be reached"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_each_error_is_put_into_words_with_what_to_do(
    error: stun.TransactionError | OSError, url: ServerUrl, said: str
) -> None:
    finding = explain(error, url)
    assert said in finding.text
    assert finding.advice
    assert finding.lines()[0].startswith("  WRONG ")


def test_every_code_of_turn_s_has_advice_of_its_own() -> None:
    assert {401, 403, 437, 438, 441, 442, 486, 508} <= set(ADVICE)
    assert explain(failed(508), UDP).advice == ADVICE[508]


def test_a_firewall_is_told_from_something_that_is_no_stun_server() -> None:
    assert "firewall" in explain_stun("s", stun.TransactionTimeout()).advice
    assert "another port" in explain_stun("s", ValueError("x")).advice


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([HERE, HERE], "none"),
        ([("192.0.2.1", 5), ("192.0.2.1", 5)], "independent"),
        ([("192.0.2.1", 5), ("192.0.2.1", 6)], "dependent on"),
        ([("192.0.2.1", 5)], "a second port would tell"),
    ],
)
def test_a_mapping_is_told_by_what_two_ports_see(seen: list[tuple[str, int]], said: str) -> None:
    assert said in mapping_text(HERE, seen)


def test_findings_are_lines() -> None:
    assert Finding("TURN", is_title=True).lines() == ["TURN"]
    assert Finding("it works").lines() == ["  ok     it works"]
    assert shown(("2001:db8::1", 7)) == "[2001:db8::1]:7"

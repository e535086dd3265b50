"""Key files, and signatures that node and browsers verify."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from peerpool.core.digests import decode
from peerpool.core.errors import KeyFileError
from peerpool.keys import new_key, read_key, read_keys, verify, write_key

from tests.core.test_digests import FROZEN, GOOD


def test_a_key_is_written_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    key, path = new_key(), tmp_path / "key.pem"
    write_key(path, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path).public_hex == key.public_hex
    assert len(key.public_hex) == 130


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    write_key(path, new_key())
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="there already"):
        write_key(path, new_key())
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_may_use_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    write_key(path, new_key())
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_key(path)


def other_keys() -> list[bytes]:
    keys: list[Any] = [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
    return [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in keys]


@pytest.mark.parametrize("text", [b"", b"hello", b"\xff" * 100_000, *other_keys()], ids=range(5))
def test_what_is_no_p256_key_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="peerpool keys new"):
        read_key(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"gone\.pem"):
        read_key(tmp_path / "gone.pem")


def test_several_keys_keep_their_order(tmp_path: Path) -> None:
    keys = [new_key(), new_key()]
    paths = [tmp_path / "new.pem", tmp_path / "old.pem"]
    for path, key in zip(paths, keys, strict=True):
        write_key(path, key)
    assert [key.public_hex for key in read_keys([str(path) for path in paths])] == [key.public_hex for key in keys]


@pytest.mark.parametrize("vector", FROZEN["valid"], ids=lambda vector: vector["name"])
def test_the_frozen_signatures_are_valid(vector: dict[str, Any]) -> None:
    record = decode(bytes.fromhex(vector["record"]))
    assert verify(record, bytes.fromhex(FROZEN["key"]["public"]))
    assert not verify(record, bytes.fromhex(FROZEN["other_key"]["public"]))


@pytest.mark.parametrize("vector", FROZEN["untrue"], ids=lambda vector: vector["name"])
def test_an_untrue_record_is_not_verified(vector: dict[str, Any]) -> None:
    assert not verify(decode(bytes.fromhex(vector["record"])), bytes.fromhex(FROZEN["key"]["public"]))


def test_the_frozen_key_reads_as_its_public_half(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(FROZEN["key"]["private_pem"])
    path.chmod(0o600)
    key = read_key(path)
    assert (key.public_hex, key.key_id.hex()) == (FROZEN["key"]["public"], FROZEN["key"]["key_id"])
    signed = key.sign(GOOD)
    assert verify(signed, key.public_bytes)
    assert len(signed.signature) == 64


def test_openssl_reads_our_key_files(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    write_key(path, new_key())
    shown = subprocess.run(
        ["openssl", "pkey", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=True
    )
    assert "prime256v1" in shown.stdout

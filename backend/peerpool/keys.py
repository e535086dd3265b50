"""Signing keys: P-256 in PKCS8 PEM files that only their owner may read, and their signatures (docs/adr/0012)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from peerpool.core.digests import KEY_ID_BYTES, SIGNATURE_BYTES, Record, signed_part
from peerpool.core.errors import KeyFileError

PRIVATE_MODE: Final = 0o600
# A PKCS8 PEM of a P-256 key is 241 bytes; whatever is much larger is another file.
KEY_FILE_BYTES_MAX: Final = 4_096
_COORDINATE_BYTES: Final = 32


@dataclass(frozen=True)
class SigningKey:
    """A private key, and how clients name it."""

    private: ec.EllipticCurvePrivateKey

    @property
    def public_bytes(self) -> bytes:
        """The public half as an uncompressed point, 65 bytes."""
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def public_hex(self) -> str:
        """The public half as clients are told it: 130 hex digits."""
        return self.public_bytes.hex()

    @property
    def key_id(self) -> bytes:
        """The first 8 bytes of SHA-256 of the public half."""
        return key_id(self.public_bytes)

    def sign(self, record: Record) -> Record:
        """Return the record with this key's id and signature."""
        unsigned = replace(record, key_id=self.key_id)
        der = self.private.sign(signed_part(unsigned), ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        return replace(unsigned, signature=b"".join(part.to_bytes(_COORDINATE_BYTES, "big") for part in (r, s)))


def key_id(public_bytes: bytes) -> bytes:
    """Return the id of a public key given as an uncompressed point."""
    return hashlib.sha256(public_bytes).digest()[:KEY_ID_BYTES]


def verify(record: Record, public_bytes: bytes) -> bool:
    """Say whether this key signed the record."""
    if record.key_id != key_id(public_bytes) or len(record.signature) != SIGNATURE_BYTES:
        return False
    r, s = (int.from_bytes(record.signature[at : at + _COORDINATE_BYTES], "big") for at in (0, _COORDINATE_BYTES))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_bytes)
    try:
        public.verify(encode_dss_signature(r, s), signed_part(record), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def new_key() -> SigningKey:
    """Return a key made from the system's randomness."""
    return SigningKey(ec.generate_private_key(ec.SECP256R1()))


def write_key(path: Path, key: SigningKey) -> None:
    """Write a key into a new file that only its owner may read. Raises KeyFileError, also where the file is there."""
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    except FileExistsError:
        raise KeyFileError(f"{path} is there already: a key is never overwritten; name another file") from None
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from None


def read_key(path: Path) -> SigningKey:
    """Return the key in a file. Raises KeyFileError where it is none, or others than its owner may read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(KEY_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise KeyFileError(f"cannot read the key {path}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"others may use the key {path} (mode {stat.S_IMODE(mode):o}): run `chmod 600 {path}`")
    return SigningKey(_parse(path, pem))


def read_keys(paths: Sequence[str]) -> list[SigningKey]:
    """Return the keys of several files in their order: the first signs, clients trust all. Raises KeyFileError."""
    return [read_key(Path(path)) for path in paths]


def _parse(path: Path, pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        private = load_pem_private_key(pem, password=None) if len(pem) <= KEY_FILE_BYTES_MAX else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise KeyFileError(f"{path} is no P-256 key in PEM without a password: make one with `peerpool keys new FILE`")
    return private

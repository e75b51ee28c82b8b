"""Ed25519 signatures of the messages' content."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class InvalidSignatureError(Exception):
    """The content is not what its author signed."""


class UnknownAuthorError(Exception):
    """There is no public key for the author."""


class KeyRing:
    """One node's private key and the public keys of all.

    The keys follow from a seed so that every process of a demo knows them: they are good for
    measuring the cost of signatures, not for keeping secrets.

    Args:
        node_id: The node whose private key it holds.
        peers: The nodes whose public keys it holds.
        seed: What the keys are derived from.
    """

    def __init__(self, node_id: str, peers: list[str], seed: int) -> None:
        self._private = _private_key(node_id, seed)
        self._public: dict[str, Ed25519PublicKey] = {
            peer: _private_key(peer, seed).public_key() for peer in (node_id, *peers)
        }

    def sign(self, digest: bytes) -> bytes:
        """The node's signature of a digest."""
        return self._private.sign(digest)

    def verify(self, author: str, digest: bytes, signature: bytes) -> None:
        """Check that the author signed the digest.

        Raises:
            UnknownAuthorError: If there is no key for the author.
            InvalidSignatureError: If it did not sign this digest.
        """
        if author not in self._public:
            raise UnknownAuthorError(author)
        try:
            self._public[author].verify(signature, digest)
        except InvalidSignature as error:
            raise InvalidSignatureError(f"{author} did not sign {digest.hex()}") from error


def _private_key(node_id: str, seed: int) -> Ed25519PrivateKey:
    material = hashlib.sha256(f"{seed}/{node_id}".encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(material)

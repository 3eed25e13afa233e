"""A certificate authority of a test's own."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Issues certificates; `certificate` is the file to trust."""

    folder: Path
    certificate: Path
    _own: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def serving(self, host: str) -> ssl.SSLContext:
        """A server's context with a certificate for a name or an address."""
        key, certificate = self.issue(host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def issue(self, host: str) -> tuple[Path, Path]:
        """Key and certificate files of a server of this name or address."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = _builder(host, issuer=self._own.subject, key=key).add_extension(
            x509.SubjectAlternativeName([_general_name(host)]), critical=False
        )
        named = named.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        issued = named.sign(self._key, hashes.SHA256())
        files = (self.folder / "server.key", self.folder / "server.crt")
        files[0].write_bytes(_private_bytes(key))
        files[1].write_bytes(issued.public_bytes(serialization.Encoding.PEM))
        return files


def make_authority(folder: Path, name: str) -> Authority:
    """A new authority, with its files below `folder`."""
    own_folder = folder / name
    own_folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, issuer=None, key=key)
    for extension, critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            True,
        ),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(key, hashes.SHA256())
    file = own_folder / "authority.crt"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return Authority(folder=own_folder, certificate=file, _own=made, _key=key)


def _builder(name: str, *, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

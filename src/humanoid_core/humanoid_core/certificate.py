# SPDX-License-Identifier: Apache-2.0
"""A certificate that signs itself, made on first start: browsers give headset and camera access to HTTPS pages only."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from humanoid_core.errors import HumanoidError

LIFETIME = datetime.timedelta(days=397)  # browsers refuse longer ones
RENEW = datetime.timedelta(days=30)


class CertificateError(HumanoidError):
    """The folder holds a certificate that cannot be used."""


def own_addresses() -> list[str]:
    """IPv4 addresses of this computer, those that others can reach first."""
    found = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    }
    return sorted(found, key=lambda text: (ipaddress.ip_address(text).is_loopback, text))


def server_context(folder: Path) -> ssl.SSLContext:
    """TLS context of a server; makes `certificate.pem` and `key.pem` where they are missing or about to expire.

    Put a certificate of your own there, under these names, and it is used as it is.

    Args:
        folder: Where the two files lie.

    Raises:
        CertificateError: the files are there and cannot be used.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists() or not key.exists() or _is_stale(certificate):
        _make(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(
            f"{certificate}, {key}: found {error}, expected a PEM certificate and its key; remove both for new ones"
        ) from error
    return context


def _is_stale(path: Path) -> bool:
    """Whether a certificate of ours is about to expire; others' are not ours to replace."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        return False  # loading it will say what is wrong
    expires = getattr(certificate, "not_valid_after_utc", None)  # not yet in the version of Ubuntu 24.04
    expires = expires or certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)
    ours = certificate.issuer == certificate.subject == _name()
    return ours and expires < datetime.datetime.now(datetime.timezone.utc) + RENEW


def _name() -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"humanoid workspace on {socket.gethostname()}"[:64])])


def _make(certificate: Path, key: Path) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in own_addresses()]
    signed = (
        x509.CertificateBuilder()
        .subject_name(_name())
        .issuer_name(_name())
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.parent.mkdir(parents=True, exist_ok=True)
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(pem)
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

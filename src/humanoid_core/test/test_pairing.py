# SPDX-License-Identifier: Apache-2.0
"""Codes, tokens and the certificate of the pages."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from humanoid_core.certificate import CertificateError, own_addresses, server_context
from humanoid_core.pairing import ATTEMPTS, LIFETIME, Pairing, PairingError


def test_a_code_is_good_once() -> None:
    codes: list[str] = []
    pairing = Pairing(None, codes.append)
    token = pairing.pair(f" {codes[0]} ")
    assert pairing.knows(token)
    assert len(codes) == 2
    if codes[0] != codes[1]:
        with pytest.raises(PairingError):
            pairing.pair(codes[0])


def test_guessing_changes_the_code() -> None:
    codes: list[str] = []
    pairing = Pairing(None, codes.append)
    for _ in range(ATTEMPTS):
        with pytest.raises(PairingError):
            pairing.pair("no code")
    assert len(codes) == 2
    assert pairing.pair(codes[1])


def test_tokens_outlive_a_restart_and_end_with_the_shift(tmp_path: Path) -> None:
    now = [1000.0]
    file = tmp_path / "here" / "pairings.json"
    pairing = Pairing(file, lambda _: None, clock=lambda: now[0])
    token = pairing.pair(pairing.code)
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    again = Pairing(file, lambda _: None, clock=lambda: now[0])
    assert again.knows(token)
    now[0] += LIFETIME + 1.0
    assert not again.knows(token)
    assert not again.knows("")


def test_revoked_and_broken_files_pair_nobody(tmp_path: Path) -> None:
    file = tmp_path / "pairings.json"
    pairing = Pairing(file, lambda _: None)
    token = pairing.pair(pairing.code)
    pairing.revoke()
    assert not Pairing(file, lambda _: None).knows(token)
    file.write_text("[nonsense")
    assert not Pairing(file, lambda _: None).knows(token)


def test_the_certificate_is_made_once_for_the_addresses_of_this_computer(tmp_path: Path) -> None:
    assert isinstance(server_context(tmp_path / "new"), ssl.SSLContext)
    certificate, key = tmp_path / "new/certificate.pem", tmp_path / "new/key.pem"
    assert key.stat().st_mode & 0o077 == 0
    first = certificate.read_bytes()
    server_context(tmp_path / "new")
    assert certificate.read_bytes() == first
    names = ssl._ssl._test_decode_cert(str(certificate))["subjectAltName"]  # type: ignore[attr-defined]
    assert {text for kind, text in names if kind == "IP Address"} == set(own_addresses())


def test_a_broken_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "certificate.pem").write_text("no certificate")
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(CertificateError, match=r"certificate\.pem"):
        server_context(tmp_path)

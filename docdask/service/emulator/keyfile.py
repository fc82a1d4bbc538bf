"""Writes a service-account key file whose tokens come from the emulator; the key in it opens nothing."""

from __future__ import annotations

import json
from pathlib import Path

from docdask.errors import EngineError


def write_key(path: Path, token_uri: str, project: str = "emulator") -> None:
    """Write a key file.

    Raises
    ------
    EngineError
        If the library that makes keys is not installed.
    """
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as error:
        raise EngineError("a key file needs the package cryptography", "pip install cryptography") from error
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = f"emulator@{project}.iam.gserviceaccount.com"
    fields = {
        "type": "service_account", "project_id": project, "private_key_id": "emulator", "private_key": pem,
        "client_email": account, "client_id": "100000000000000000000", "auth_uri": token_uri, "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    }  # fmt: skip
    path.touch(mode=0o600)
    path.write_text(json.dumps(fields, indent=2))

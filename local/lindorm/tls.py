"""TLS as Lindorm's MySQL protocol has it: version 1.2, and an authority of its own that clients are given as a file.

https://help.aliyun.com/en/lindorm/user-guide/mysql-protocol-ssl-encryption and, for the version,
https://alibabacloud.com/help/en/lindorm/latest/mysql-protocol-development-instructions.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from local.kube.certificates import write_serving_certificate


def tls_context(folder: Path) -> ssl.SSLContext:
    """What to serve with: the certificate in a folder, for `localhost` alone; made, with its authority, if missing."""
    if not (folder / "server.crt").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_serving_certificate(folder, "localhost", [x509.DNSName("localhost")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context

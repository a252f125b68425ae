"""Verifies saved requests with code that is not Hookwheel's: verify_received.py DIRECTORY

For each dialect a folder with NAME.headers (JSON) and NAME.body (as it came), and secrets.json with the secrets.
"""

import hashlib
import hmac
import json
import pathlib
import sys

from standardwebhooks import Webhook


def verify_standard(body, headers, secret):
    Webhook(secret).verify(body, headers)


def verify_taskflow(body, headers, secret):
    expected = "sha256=" + hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(headers["x-taskflow-signature"], expected):
        raise ValueError("the signature does not match")


def main(root):
    secrets = json.loads((root / "secrets.json").read_bytes())
    for dialect, verify in [("standard", verify_standard), ("taskflow", verify_taskflow)]:
        count = 0
        for path in sorted((root / dialect).glob("*.headers")):
            try:
                verify(path.with_suffix(".body").read_bytes(), json.loads(path.read_bytes()), secrets[dialect])
            except Exception as error:
                sys.exit(f"{path}: {error!r}")
            count += 1
        print(f"{dialect} {count}")


main(pathlib.Path(sys.argv[1]))

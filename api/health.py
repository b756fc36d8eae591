"""`python -m api.health`: ends with 0 while the API of this container answers; with `hooks`, while its webhooks are sent."""

from __future__ import annotations

import http.client
import os
import sys

from broker.pulse import look

SECONDS = 4


def ask(port: int) -> str | None:
    """What `sys.exit` takes: None where /healthz on this machine's port says 200, or a sentence."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"/healthz says {status}"


if __name__ == "__main__":
    sys.exit(look() if sys.argv[1:] == ["hooks"] else ask(int(os.environ.get("GRADELINE_PORT", "5001"))))

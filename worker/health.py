"""`python -m worker.health`: ends with 0 while the worker of this container is alive and connected."""

from __future__ import annotations

import sys

from broker.pulse import look

if __name__ == "__main__":
    sys.exit(look())

"""OpenVINO without its telemetry: at import it would report its use to a web service, unless told not to."""

from __future__ import annotations

import sys
from typing import Any


def openvino() -> Any:
    """The library `openvino`. Its telemetry counts as not installed from now on, which `nncf` heeds as well."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino

"""`python -m bench.peer.litserve_api PORT default|own`: LitServe with its own batching. Keeps nothing."""

from __future__ import annotations

import os
import sys

import litserve

from bench.peer.engines import Read, default_engine, own_engine

BATCH, WAIT_S = 8, 0.02


class Grader(litserve.LitAPI):  # type: ignore[misc]  # its types are left out: see pyproject.toml
    """Texts in batches of up to eight."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        own = os.environ["PEER_ENGINE"] == "own"
        self.read: Read = own_engine() if own else default_engine(os.environ["PEER_MODEL"])

    # LitServe reads the annotations of these two, and takes those it does not know for query parameters.
    def decode_request(self, request):  # type: ignore[no-untyped-def]
        return str(request["text"])

    def predict(self, x: list[str]) -> list[list[float]]:
        return self.read(x)

    def encode_response(self, output):  # type: ignore[no-untyped-def]
        return {"scores": output}


def main() -> None:
    os.environ["PEER_ENGINE"] = sys.argv[2]
    api = Grader(max_batch_size=BATCH, batch_timeout=WAIT_S, api_path="/grade")
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, timeout=False)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()

"""A service as it is first written: Flask, a `transformers` pipeline, one text a request. Keeps nothing."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request


def create() -> Flask:
    """The app; the model's folder comes in PEER_MODEL."""
    from transformers import pipeline

    app, folder = Flask(__name__), os.environ["PEER_MODEL"]
    read: Any = pipeline("feature-extraction", model=folder, tokenizer=folder, framework="pt")

    @app.post("/grade")
    def grade() -> dict[str, list[float]]:
        vectors = read(request.get_json()["text"], truncation=True, max_length=512, return_tensors=True)
        return {"scores": vectors[0].mean(0)[:4].tolist()}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app

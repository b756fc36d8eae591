"""Heads: from a text's vector and features to criterion scores between 0 and 1, each with its interval."""

from worker.head.evidence import Evidence, gather
from worker.head.ridge import Head, Prediction
from worker.head.store import load_default, load_surface

__all__ = ["Evidence", "Head", "Prediction", "gather", "load_default", "load_surface"]

"""What a person touches: the command `gradeline`, the Python `Client`, and the launcher of the embedded stack."""

from gradeline.client import Client
from gradeline.errors import ApiProblem, Unreachable

__all__ = ["ApiProblem", "Client", "Unreachable"]

"""`.env.example` names every setting with its default, and nothing else."""

from __future__ import annotations

from pathlib import Path

from api.settings import ApiSettings
from worker.settings import WorkerSettings

COMMAND = {"GRADELINE_URL", "GRADELINE_API_KEY"}  # read by the command, which has no settings object


def test_every_setting_is_named_with_its_default(monkeypatch):
    expected = {}
    for settings in (ApiSettings, WorkerSettings):
        for name, field in settings.model_fields.items():
            default = field.default
            text = f"{default:g}" if isinstance(default, float) else str(default)
            expected[str(field.validation_alias or f"GRADELINE_{name}".upper())] = text
    lines = Path(__file__).parents[2].joinpath(".env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert {name: value for name, value in given.items() if name not in COMMAND} == expected


def test_a_home_of_the_environment_reaches_the_worker(monkeypatch):
    monkeypatch.setenv("GRADELINE_HOME", "/somewhere")
    assert WorkerSettings().home == Path("/somewhere")

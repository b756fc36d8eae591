"""`gradeline heads fit` and `gradeline heads evaluate`: started as a process of their own, for they compute."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from gradeline.cli.options import home_option, open_home
from gradeline.errors import ClientError

NEEDED = ("heads", "numpy", "sklearn", "crepes", "pandas", "safetensors")


@click.group()
def heads() -> None:
    """Fit a grader on essays that people have scored, and measure the one in use."""


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """The options of both commands."""
    scale = "of the scale [the {} score in the data]"
    for option in (
        home_option,
        click.option("--max", "high", type=float, help=f"highest score {scale.format('highest')}"),
        click.option("--min", "low", type=float, help=f"lowest score {scale.format('lowest')}"),
        click.option("--revision", help="the hub commit of the model [$GRADELINE_MODEL_REVISION or its newest]"),
        click.option("--model", help="a Hugging Face name or a folder [$GRADELINE_MODEL or the one that comes along]"),
        click.option(
            "--data",
            required=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="CSV: text, a column of scores a criterion or trait, perhaps prompt and assignment",
        ),
    ):
        command = option(command)
    return command


@heads.command()
@shared
@click.option("--force", is_flag=True, help="even if it agrees worse than the head that comes along")
def fit(home: Path | None, force: bool, **given: Any) -> None:
    """Fit a head for a model on your own graded essays; workers that start later grade with it."""
    _run("fit", home, given, ["--force"] if force else [])


@heads.command()
@shared
def evaluate(home: Path | None, **given: Any) -> None:
    """Grade essays with the head in use, and say how well it agrees with their scores."""
    _run("evaluate", home, given, [])


def _run(name: str, home: Path | None, given: dict[str, Any], arguments: list[str]) -> None:
    missing = missing_of(NEEDED)
    if missing:
        raise ClientError(f"this needs {', '.join(missing)}: pip install 'gradeline[worker,heads]'")
    options = {"--min": given.pop("low"), "--max": given.pop("high"), **{f"--{k}": v for k, v in given.items()}}
    arguments += [f"{option}={value}" for option, value in options.items() if value is not None]
    settings = {**os.environ, "GRADELINE_HOME": str(open_home(home).path)}
    done = subprocess.run([sys.executable, "-m", "heads.own", name, *arguments], env=settings, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def missing_of(modules: tuple[str, ...]) -> list[str]:
    """Those that are not installed. They are looked for, not imported."""
    return [module for module in modules if find_spec(module) is None]

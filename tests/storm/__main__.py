"""`python -m tests.storm`: breaks a real stack in a seeded order, and says whether anything was lost."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.storm.round import Outcome, Plan, as_json, run

IDS = 20  # of a finding that are printed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="of the round with the fake engine")
    parser.add_argument("--faults", type=int, default=34)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real-jobs", type=int, default=200, help="of the round with the real engine; 0: none")
    parser.add_argument("--real-faults", type=int, default=8)
    parser.add_argument("--deadline", type=float, default=900, help="seconds that the end may take after the storm")
    parser.add_argument("--home", type=Path, help="where the stacks are made and left; without: nothing is left")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    wanted = parser.parse_args()
    plans = [Plan(wanted.jobs, wanted.faults, wanted.seed, deadline_s=wanted.deadline)]
    if wanted.real_jobs:
        plans.append(Plan(wanted.real_jobs, wanted.real_faults, wanted.seed, "auto", deadline_s=wanted.deadline))
    console, outcomes = Console(), list[Outcome]()
    for plan in plans:
        with tempfile.TemporaryDirectory(prefix="storm-", ignore_cleanup_errors=True) as folder:
            home = (wanted.home or Path(folder)) / plan.engine
            home.mkdir(parents=True, exist_ok=True)
            outcomes.append(run(plan, home, lambda what: console.print(what, style="dim")))
        tell(outcomes[-1], console)
    if wanted.json:
        wanted.json.write_text(json.dumps([as_json(each) for each in outcomes], indent=1) + "\n")
    sys.exit(any(each.findings for each in outcomes))


def tell(outcome: Outcome, console: Console) -> None:
    """The summary of a round."""
    plan, said = outcome.plan, as_json(outcome)
    console.rule(f"storm {plan.seed}, engine {plan.engine}")
    faults = Table("fault", "times", header_style="bold")
    for kind, times in sorted(said["faults"].items()):
        faults.add_row(kind.replace("_", " "), str(times))
    faults.add_row("all", f"{len(outcome.hits)} of {len(said['faults'])} kinds", style="bold")
    console.print(faults)
    for missed in outcome.missed:
        console.print(f"not done: {missed}", style="yellow")
    keys = "one job a key" if outcome.keyed else "this API keeps no idempotency keys"
    console.print(f"jobs: {_counts(said['states'])} ({len(outcome.ledger.jobs)} answers 202 to single jobs, {keys})")
    console.print(f"batches: {len(outcome.ledger.batches)}; attempts: {_counts(said['attempts'])}")
    console.print(f"answers: {_counts(said['answers'])}; seconds: {_counts(said['seconds'])}")
    for finding in outcome.findings:
        console.print(f"{finding.what}: {len(finding.ids)}", style="bold red")
        for each in list(finding.ids)[:IDS]:
            console.print(f"  {each}", soft_wrap=True, markup=False)
    if not outcome.findings:
        console.print("nothing lost, nothing doubled, nothing wrong, nothing stuck", style="bold green")


def _counts(of: dict[str, object]) -> str:
    return ", ".join(f"{name} {count}" for name, count in of.items())


if __name__ == "__main__":
    main()

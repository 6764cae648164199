"""How long a cold `igsearch search` takes, against `python -c "import typer, rich, numpy"` and other starts, interleaved in one run.

    python benchmarks/cold_search.py PROFILE QUERY… [--rounds 15] [--json OUT]

Every command is a new process; the order changes from round to round, and medians are compared, so that what else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path


def seconds(command: list[str]) -> float:
    """Wall-clock time of one run; a command that fails ends the benchmark."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("profile")
    parser.add_argument("query", nargs="+")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    beside = Path(sys.executable).with_name("igsearch")
    command = str(beside) if beside.exists() else shutil.which("igsearch")
    if command is None:
        sys.exit("igsearch is not installed: run make test or pip install .")
    searched = [command, "search", args.profile, *args.query]
    commands = {
        "imports": [sys.executable, "-c", "import typer, rich, numpy"],
        "search": searched,
        "search --json": [*searched, "--json"],
        "--help": [command, "--help"],
        "python": [sys.executable, "-c", "pass"],
        "import sklearn": [sys.executable, "-c", "import sklearn.feature_extraction.text"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name in random.sample(list(commands), len(commands)):
            times[name].append(seconds(commands[name]))
    medians = {name: statistics.median(values) for name, values in times.items()}
    report = {
        "machine": f"{os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "rounds": args.rounds,
        "median_ms": {name: round(1000 * value, 1) for name, value in medians.items()},
        "ratio_to_imports": {name: round(value / medians["imports"], 2) for name, value in medians.items()},
    }
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

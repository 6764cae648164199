"""How long `igsearch caption` takes for one photo, against `python -c "import numpy, PIL, onnxruntime"` and other starts, interleaved in one run.

    python benchmarks/start_up.py [PHOTO] [--rounds 9] [--json OUT]

Every command is a new process; the order changes from round to round, and medians are compared, so that what else the machine does hits all alike. To be kept
to: a caption within 1.5 times the imports and a second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "assets" / "sample" / "cat.jpg"


def seconds(command: list[str]) -> float:
    """Wall-clock time of one run; a command that fails ends the benchmark."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photo", type=Path, nargs="?", default=SAMPLE)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    caption = [sys.executable, "-m", "igsearch", "caption", str(args.photo), "--device", "cpu"]
    commands = {
        "imports": [sys.executable, "-c", "import numpy, PIL, onnxruntime"],
        "caption": caption,
        "caption --engine torch": [*caption, "--engine", "torch"],
        "python": [sys.executable, "-c", "pass"],
        "import torch": [sys.executable, "-c", "import torch"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name in random.sample(list(commands), len(commands)):
            times[name].append(seconds(commands[name]))
    medians = {name: statistics.median(values) for name, values in times.items()}
    report = {
        "machine": f"{os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "rounds": args.rounds,
        "median_s": {name: round(value, 2) for name, value in medians.items()},
        "caption_to_what_is_allowed": round(medians["caption"] / (1.5 * medians["imports"] + 1), 2),
    }
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Processes that train as one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from training.processes import Processes

SCRIPT = """
import pathlib, sys
import torch
from torch import nn
from training.processes import Processes
processes = Processes.join()
one, two = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, 1))
(one * (processes.rank + 1)).sum().backward()
if processes.is_first:
    (two * 4).sum().backward()
processes.average_gradients([one, two])
found = f"{processes.n} {one.grad.tolist()} {two.grad.tolist()} {sorted(processes.gather({str(processes.rank): 1}))}"
pathlib.Path(sys.argv[1], str(processes.rank)).write_text(found)
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def test_alone_there_is_nothing_to_average() -> None:
    """One process keeps its gradients, and what it found."""
    parameter = nn.Parameter(torch.ones(1))
    torch.autograd.backward(parameter.square().sum())
    alone = Processes.join()
    alone.average_gradients([parameter])
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [2.0]
    assert alone.gather({"a": 1}) == {"a": 1}
    assert alone.is_first


def test_two_processes_share_their_gradients(tmp_path: Path) -> None:
    """Both have the mean afterwards, also of a parameter that only one of them used, and both know what each found."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["2 [1.5, 1.5] [[2.0], [2.0]] ['0', '1']"] * 2

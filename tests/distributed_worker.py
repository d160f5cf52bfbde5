"""`cogsym ARGUMENTS` as one of several processes on a CPU, for test_training_distributed.py.

accelerate shards parameters on accelerators only; PyTorch's FSDP2 also works over gloo on a CPU. With
ACCELERATE_USE_FSDP set, this makes accelerate take the same way here as it takes on GPUs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from accelerate import state
from accelerate.utils import DistributedType

if os.environ.get("ACCELERATE_USE_FSDP") == "true":
    original = state.AcceleratorState.__init__

    def init(self: Any, *arguments: Any, fsdp_plugin: Any = None, **options: Any) -> None:
        original(self, *arguments, fsdp_plugin=fsdp_plugin, **options)
        if fsdp_plugin is not None:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin

    state.AcceleratorState.__init__ = init


def die_at(step: int) -> None:
    """End this process at once when it comes to this step, as a power failure would."""
    from toolkit.training.watch import Watch

    proceed = Watch.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        if state.global_step == step:
            os._exit(9)
        proceed(self, args, state, control, **options)

    Watch.on_step_end = on_step_end  # type: ignore[method-assign]


def note_who_ranks(folder: Path) -> None:
    """Leave a file for each process that ranks layers."""
    from toolkit.selection import fisher

    rank = fisher.rank_by_fisher

    def rank_by_fisher(*arguments: Any) -> Any:
        (folder / os.environ["RANK"]).touch()
        return rank(*arguments)

    fisher.rank_by_fisher = rank_by_fisher


if __name__ == "__main__":
    from toolkit.cli import main

    if "RANKERS" in os.environ:
        note_who_ranks(Path(os.environ["RANKERS"]))

    if "STOP_AT" in os.environ:
        die_at(int(os.environ["STOP_AT"]))

    main(sys.argv[1:])

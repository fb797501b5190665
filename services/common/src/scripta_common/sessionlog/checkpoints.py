"""How the state of a session says whether speech goes on behind its checkpoint.

In a rollout a transcriber of a former release may move the checkpoint and leave this field as it
was. So the field names the checkpoint that it belongs to, and is not believed of any other.
"""

from __future__ import annotations

from scripta_common.wire import Checkpoint


def speaking_mark(checkpoint: Checkpoint) -> str:
    """Returns what a state says of a checkpoint; empty if nobody speaks there."""
    return f"{checkpoint.sample}-{checkpoint.seq}" if checkpoint.speaking else ""


def marked_checkpoint(sample: int, seq: int, mark: bytes) -> Checkpoint:
    """Returns the checkpoint of a state, by its position and its mark."""
    there = Checkpoint(sample, seq, speaking=True)
    return there if mark == speaking_mark(there).encode() else Checkpoint(sample, seq)

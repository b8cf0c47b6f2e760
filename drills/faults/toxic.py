"""What the faults on TCP paths have in common: a toxic of Toxiproxy on one direction or both, proven by a canary.

A toxic is one row of Toxiproxy's own vocabulary (https://github.com/Shopify/toxiproxy#toxics), read back when it is
put on (drills/stage/toxiproxy.py). ``direction`` is seen from who connects: upstream is what the client sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from drills.faults.base import Arguments, Proof, Receipt, carried_out, each, on_the_clock

if TYPE_CHECKING:
    from drills.scene import Scene

BOTH = ("upstream", "downstream")
DUE_S = 1.0  # the API of a proxy on this machine takes milliseconds; what takes longer was in force too late

# What nobody can have on TCP, and why: a scenario that asks for it is told (drills/scenario/story.py).
NOT_ON_TCP = {
    name: f"no {name} on TCP: both ends' kernels send again, in order, whatever does not arrive as sent, so that "
    "all it could ever show is a delay (`latency`, `bandwidth`, `slicer`); on UDP paths it can be had"
    for name in ("loss", "packet_loss", "bursty_loss", "duplicate", "reorder", "corrupt")
}


class Directed(Arguments):
    """Which way a toxic acts; Toxiproxy's act on one direction each, so that `both` is two of them."""

    direction: Literal["upstream", "downstream", "both"] = "both"

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams to put it on."""
        return BOTH if self.direction == "both" else (self.direction,)


@contextmanager
def on_path(
    scene: Scene, receipt: Receipt, kind: str, attributes: Mapping[str, int], streams: tuple[str, ...], *,
    proven_on: Callable[[], Proof], proven_off: Callable[[], Proof],
) -> Iterator[Receipt]:  # fmt: skip
    """A toxic of this kind on each stream of the receipt's path, in the order that every fault keeps."""
    toxiproxy, proxy = scene.stage.toxiproxy, receipt.subject
    receipt.due_s = DUE_S

    def inject() -> None:
        for stream in streams:
            toxiproxy.add_toxic(proxy, f"{receipt.fault}_{stream}", kind, stream, attributes)

    def heal() -> None:
        each(*(partial(toxiproxy.remove_toxic, proxy, f"{receipt.fault}_{stream}") for stream in streams))

    def off() -> Proof:
        if receipt.landed:
            span = f"from {on_the_clock(scene, receipt.from_ns)} to {on_the_clock(scene, receipt.to_ns)}"
            receipt.landed = replace(receipt.landed, measured=f"{receipt.landed.measured}, {span}")
        return proven_off()

    with carried_out(scene, receipt, inject=inject, heal=heal, proven_on=proven_on, proven_off=off) as carried:
        yield carried

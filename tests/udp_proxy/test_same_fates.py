"""The same seed takes the same decision for the same packet, in two programs one after the other."""

from __future__ import annotations

from tests.udp_proxy.same_fates import lost


def test_the_same_seed_has_the_same_fates_twice_and_another_has_others() -> None:
    """By the program itself, over its sockets."""
    first = lost(7)
    assert first == lost(7)
    assert first and first != lost(8)

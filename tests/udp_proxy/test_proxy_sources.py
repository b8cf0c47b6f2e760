"""Which address a flow has towards the upstream."""

from __future__ import annotations

import pytest

from drills.udp_proxy.sources import sources


def test_the_kernel_or_the_client_decides() -> None:
    """By word."""
    assert sources("any").of("127.0.0.7") is None
    assert sources("client").of("127.0.0.7") == "127.0.0.7"


def test_a_pool_gives_each_client_address_one_of_its_own() -> None:
    """The same every time, never the network's own or its broadcast address, and from the start when all are taken."""
    pool = sources("127.79.0.0/29")
    assert [pool.of(f"10.0.0.{n}") for n in (1, 2, 1, 3)] == ["127.79.0.1", "127.79.0.2", "127.79.0.1", "127.79.0.3"]
    assert [pool.of(f"10.0.1.{n}") for n in range(4)] == ["127.79.0.4", "127.79.0.5", "127.79.0.6", "127.79.0.1"]
    assert sources("127.79.0.9/32").of("10.0.0.1") == "127.79.0.9"


@pytest.mark.parametrize("text", ["", "both", "127.79.0.1/29", "::/64", "127.0.0.0/99"])
def test_other_words_are_refused(text: str) -> None:
    """By a ValueError, which the command line turns into bad input."""
    with pytest.raises(ValueError):
        sources(text)

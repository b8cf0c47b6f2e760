"""Faults on UDP paths: a receipt with figures, and no for what did not land, came late, or did something else."""

from __future__ import annotations

from typing import Any

import pytest

from drills.faults.network import networked
from drills.faults.table import FAULTS
from drills.scenario.networks import Network
from tests.fakes import FakeScene
from tests.udp_fakes import FakeUdpProxy

SECONDS = 3.0


def receipt_of(scene: FakeScene, name: str = "udp_loss", **arguments: Any) -> dict[str, Any]:
    """The receipt of a fault on the clients' path that lasted three seconds."""
    row = FAULTS[name]
    with row.injected(scene, "clients", row.arguments(**arguments)):
        scene.pause(SECONDS)
    (receipt,) = scene.journal.named("fault.receipt")  # type: ignore[attr-defined]
    return dict(receipt)


def proxy_of(scene: FakeScene) -> FakeUdpProxy:
    """The fake one."""
    return scene.stage.udp_proxy  # type: ignore[return-value]


def test_a_receipt_says_what_was_asked_what_was_measured_and_from_when_to_when(scene: FakeScene) -> None:
    """In the words of the issue."""
    receipt = receipt_of(scene, probability=0.05)
    assert receipt["landed"] and receipt["mended"]
    assert "loss: asked 5.0 %, measured 4.7 % ± 1.3 %" in receipt["measured_on"]
    assert ", from " in receipt["measured_on"] and " to " in receipt["measured_on"]
    assert receipt["acted"] == {f"clients_to_relay_{one} udp_loss_loss_{way}": 7
                                for one in "ab" for way in ("upstream", "downstream")}  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.2, 3.0])
def test_a_loss_that_is_not_the_one_asked_for_did_not_land(scene: FakeScene, share: float) -> None:
    """Too little, none at all, or too much."""
    proxy_of(scene).share = share
    receipt = receipt_of(scene, probability=0.1)
    assert not receipt["landed"]
    assert "not as asked" in receipt["measured_on"]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_too_few_packets_met_to_tell_is_not_proven(scene: FakeScene, share: float) -> None:
    """None at all is as likely as what was asked."""
    proxy_of(scene).share = share
    receipt = receipt_of(scene, probability=0.02)
    assert not receipt["landed"]
    assert "at least 400 needed for loss" in receipt["measured_on"]


def test_a_loss_that_landed_late_did_not_land(scene: FakeScene) -> None:
    """Its first sign came later than chance allows, though its share over the whole time might pass."""
    proxy_of(scene).late_ns = 2_000_000_000
    receipt = receipt_of(scene, probability=0.2)
    assert not receipt["landed"]
    assert "late" in receipt["measured_on"]


@pytest.mark.parametrize("share", [0.5, 1.5])
def test_a_latency_that_is_not_the_one_asked_for_did_not_land(scene: FakeScene, share: float) -> None:
    """Half of it, or half more."""
    proxy_of(scene).share = share
    assert not receipt_of(scene, "udp_latency", latency_ms=60.0)["landed"]


def test_a_fault_on_top_of_another_is_measured_on_top_of_it(scene: FakeScene) -> None:
    """What was there before is taken into account, and stays."""
    proxy_of(scene).add_toxic("clients_to_relay_a", "before", "loss", "upstream", {"probability": 0.1})
    receipt = receipt_of(scene, probability=0.05, direction="upstream")
    assert receipt["landed"] and receipt["mended"]
    assert proxy_of(scene).toxics("clients_to_relay_a") == ("before",)


def test_the_proxys_own_losses_are_in_the_receipt(scene: FakeScene) -> None:
    """What it lost without being asked to, while the fault was on."""
    row = FAULTS["udp_loss"]
    with row.injected(scene, "clients", row.arguments(probability=0.05)):
        proxy_of(scene).lost = 3
    assert scene.journal.named("fault.receipt")[0]["own_losses"] == 3  # type: ignore[attr-defined]


def test_a_condition_has_a_receipt_as_a_fault_has(scene: FakeScene) -> None:
    """Each direction of either side as its file has it, and off again at the end."""
    way = (("latency", {"latency": 30.0, "jitter": 0.0, "distribution": "normal", "order": "kept"}),)
    toxics = {side: {"upstream": way, "downstream": way} for side in ("clients", "hosts")}
    with networked(scene, Network("lte", "a phone", toxics, "")):
        scene.pause(SECONDS)
    (receipt,) = scene.journal.named("fault.receipt")  # type: ignore[attr-defined]
    assert (receipt["fault"], receipt["subject"]) == ("udp_network", "lte")
    assert receipt["landed"] and receipt["mended"]
    assert not any(proxy_of(scene).kept.values())


def test_without_a_condition_nothing_happens(scene: FakeScene) -> None:
    """Nothing is in anybody's way."""
    with networked(scene, None):
        pass
    assert scene.trail == []


def test_a_condition_is_not_blamed_for_a_fault_that_came_and_went_under_it(scene: FakeScene) -> None:
    """What a drill does to the path besides is not the condition's, and the condition still must be there."""
    way = (("loss", {"probability": 0.02}),)
    toxics = {side: {"upstream": way, "downstream": way} for side in ("clients", "hosts")}
    row = FAULTS["udp_loss"]
    with networked(scene, Network("lte", "a phone", toxics, "")):
        scene.pause(10.0)
        with row.injected(scene, "clients", row.arguments(probability=0.4)):
            scene.pause(SECONDS)
        scene.pause(10.0)
    receipts = {one["fault"]: one for one in scene.journal.named("fault.receipt")}  # type: ignore[attr-defined]
    assert receipts["udp_network"]["landed"] and receipts["udp_loss"]["landed"], receipts

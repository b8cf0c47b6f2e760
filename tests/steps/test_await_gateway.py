"""await_gateway: the first good answer is the moment at which it is back; not coming back is evidence."""

from __future__ import annotations

import pytest

from drills.scenario.durations import Duration
from drills.steps.await_gateway import STEP, AwaitGatewayArguments
from drills.wavry.errors import Refused, Unreachable
from tests.fakes import FakeScene
from tests.steps.fake_gateway import FakeGateway

TEN_SECONDS = AwaitGatewayArguments(service="gateway", within=Duration(seconds=10.0))


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    """What is asked for its health."""
    gateway = FakeGateway()
    monkeypatch.setattr("drills.wavry.gateway.GatewayHttp", gateway.http)
    return gateway


def test_the_first_good_answer_is_the_moment(scene: FakeScene, gateway: FakeGateway) -> None:
    """Refused connections and a 503 are looked past, to a few milliseconds."""
    gateway.health = [Unreachable("connection refused")] * 20 + [Refused(503, "degraded")]
    STEP.perform(scene, TEN_SECONDS)
    (back,) = scene.journal.named("gateway.back")
    assert back["back_ns"] == scene.now_ns()
    assert (back["looks"], back["before"]) == (22, "503 degraded")
    assert scene.now_s == pytest.approx(21 * 0.005, abs=0.01)


def test_a_gateway_that_was_never_away_is_back_at_once(scene: FakeScene, gateway: FakeGateway) -> None:
    """Whether it was away is its fault's receipt to say."""
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("gateway.back")[0]["looks"] == 1


def test_a_gateway_that_does_not_come_back_is_evidence_with_a_witness(scene: FakeScene, gateway: FakeGateway) -> None:
    """Waited for to the limit, and what was seen last is written down."""
    gateway.health = [Refused(503, "degraded")] * 100_000
    STEP.perform(scene, TEN_SECONDS)
    (unmet,) = scene.journal.named("step.unmet")
    assert (unmet["step"], unmet["reason"]) == ("await_gateway", "not healthy; last: 503 degraded")
    assert scene.now_s == pytest.approx(10.0, abs=0.1)

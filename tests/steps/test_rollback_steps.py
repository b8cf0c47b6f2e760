"""make_account, log_in_account, judge_candidate, verify_releases: what they write down, and when."""

from __future__ import annotations

import pytest

from drills.measures.candidate import Upgraded
from drills.probes.follower import Handshake, Visit
from drills.probes.own_account import OwnAccount
from drills.scenario.durations import Duration
from drills.scenario.models import Action
from drills.steps import judge_candidate, log_in_account, make_account, verify_releases
from drills.story import announce
from drills.wavry.errors import Refused, Unreachable
from tests.fakes import FakeGatewayHttp, FakeScene
from tests.record_builder import injection

MAKE = make_account.MakeAccountArguments(account="before")
LOG_IN = log_in_account.LogInAccountArguments(account="before", within=Duration(seconds=2.0))
JUDGE = judge_candidate.JudgeCandidateArguments(
    setup_success_ratio_min=0.98, handshake_failure_ratio_max=0.02, login_ms_p95_max=500.0
)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGatewayHttp:
    """A gateway that knows nobody yet."""
    gateway = FakeGatewayHttp()
    monkeypatch.setattr("drills.wavry.gateway.GatewayHttp", gateway.reached)
    return gateway


def test_an_account_is_made_the_way_the_ends_go_and_logs_in(scene: FakeScene, gateway: FakeGatewayHttp) -> None:
    """Through the proxy; its password is nowhere in the journal."""
    make_account.STEP.perform(scene, MAKE)
    log_in_account.STEP.perform(scene, LOG_IN)
    assert gateway.urls == ["http://ends_to_gateway:1"] * 2
    assert scene.journal.named("drill_account.made")[0]["ok"]
    assert scene.journal.named("drill_account.logged_in")[0]["outcome"] == "ok"
    (password,) = gateway.accounts.values()
    assert password not in repr(scene.journal.events) + repr(scene.accounts)


def test_a_gateway_that_is_away_for_a_moment_is_asked_again(scene: FakeScene, gateway: FakeGatewayHttp) -> None:
    """Both ways."""
    gateway.failures = [Unreachable("refused")]
    make_account.STEP.perform(scene, MAKE)
    gateway.failures = [Unreachable("refused"), Refused(503, "busy")]
    log_in_account.STEP.perform(scene, LOG_IN)
    assert scene.journal.named("drill_account.made")[0]["ok"]
    assert scene.journal.named("drill_account.logged_in")[0]["outcome"] == "ok"


def test_an_account_that_is_refused_is_not_made(scene: FakeScene, gateway: FakeGatewayHttp) -> None:
    """Asking again would not help."""
    gateway.failures = [Refused(400, "no")] * 9
    make_account.STEP.perform(scene, MAKE)
    assert len(gateway.failures) == 8
    assert not scene.journal.named("drill_account.made")[0]["ok"]
    log_in_account.STEP.perform(scene, LOG_IN)
    assert scene.journal.named("drill_account.logged_in")[0]["outcome"] == "unknown"


def test_a_refused_login_is_an_answer(scene: FakeScene, gateway: FakeGatewayHttp) -> None:
    """The account is lost; asking again would lock it."""
    scene.accounts["before"] = OwnAccount("a", "a password")
    log_in_account.STEP.perform(scene, LOG_IN)
    (login,) = scene.journal.named("drill_account.logged_in")
    assert login["outcome"] == "refused"
    assert len(gateway.urls) == 1


def test_a_gateway_that_never_answers_says_nothing_of_an_account(scene: FakeScene, gateway: FakeGatewayHttp) -> None:
    """Until the time is up."""
    scene.accounts["before"] = OwnAccount("a", "a password")
    gateway.failures = [Unreachable("refused")] * 99
    log_in_account.STEP.perform(scene, LOG_IN)
    (login,) = scene.journal.named("drill_account.logged_in")
    assert (login["outcome"], login["took_ms"]) == ("unanswered", pytest.approx(2000, abs=250))


def upgraded(scene: FakeScene, *, slow: int = 0, before: int = 0) -> None:
    """A scene with an upgraded gateway and relay, 200 visits and their handshakes since."""
    scene.upgraded = [Upgraded("gateway", 0), Upgraded("relay", 5, "candidate")]
    since = 2_000_000_000
    scene.follower.visits = [Visit(5, False, None)] * before
    scene.follower.visits += [Visit(since, True, 900.0 if number < slow else 40.0) for number in range(200)]
    scene.follower.handshakes = [Handshake(since, "candidate", True)] * 300 + [Handshake(since, "other", False)] * 50


@pytest.mark.parametrize(("slow", "accepted"), [(0, True), (11, False)])
def test_a_candidate_is_judged_by_its_figures(scene: FakeScene, slow: int, accepted: bool) -> None:
    """Since its upgrade, at its own relays; the figures are written with the decision."""
    upgraded(scene, slow=slow, before=100)
    judge_candidate.STEP.perform(scene, JUDGE)
    (judged,) = scene.journal.named("candidate.judged")
    assert judged["accepted"] is accepted
    assert judged["setups"] == 200
    assert judged["figures"]["handshake_failure_ratio"] == 0.0
    assert judged["digest"] == JUDGE.thresholds.digest
    assert bool(judged["reasons"]) is not accepted


def test_a_candidate_of_which_too_little_was_seen_is_not_accepted(scene: FakeScene) -> None:
    """Nothing speaks against it, and too little for it."""
    upgraded(scene)
    del scene.follower.visits[100:]
    judge_candidate.STEP.perform(scene, JUDGE)
    assert scene.journal.named("candidate.judged")[0]["reasons"] == ["100 set-ups, at least 150 needed"]


def test_nothing_upgraded_is_nothing_to_accept(scene: FakeScene) -> None:
    """A story that judges before it upgrades."""
    judge_candidate.STEP.perform(scene, JUDGE)
    assert not scene.journal.named("candidate.judged")[0]["accepted"]


def test_thresholds_are_announced_with_their_digest() -> None:
    """What the run writes down before it begins."""
    announced = judge_candidate.STEP.announces(JUDGE)
    assert announced is not None
    assert announced.event == "thresholds.written"
    assert announced.fields["digest"] == JUDGE.thresholds.digest
    assert make_account.STEP.announces(MAKE) is None


def test_what_runs_is_written_down_service_by_service(scene: FakeScene) -> None:
    """The control plane's, relays included, and one that does not run says so."""
    scene.stage.kill("relay_b")
    verify_releases.STEP.perform(scene, verify_releases.STEP.arguments())
    (looked,) = scene.journal.named("releases.running")
    assert looked["versions"] == {
        "gateway": "gateway known-good", "master": "master known-good", "relay_a": "relay_a known-good",
        "relay_b": "does not run",
    }  # fmt: skip


def test_what_a_step_must_not_choose_afterwards_is_written_before_anything_is_done(scene: FakeScene) -> None:
    """However deep in the story it stands, once, and nothing else is said."""
    judge = Action("judge_candidate", JUDGE)
    make = Action("make_account", MAKE)
    announce((make, injection("upgrade", "gateway", None, make, injection("upgrade", "relay_a", None, judge))),
             scene.journal)  # type: ignore[arg-type]  # fmt: skip
    ((name, fields),) = scene.journal.events
    assert (name, fields["digest"]) == ("thresholds.written", JUDGE.thresholds.digest)

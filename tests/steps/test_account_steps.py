"""know_accounts, check_accounts and rebind_half_open, on a gateway in memory: what they look at and write."""

from __future__ import annotations

from collections import Counter

import pytest

from drills.faults.base import Arguments
from drills.steps import check_accounts, know_accounts, rebind_half_open
from drills.steps.know_accounts import KnowAccountsArguments
from drills.steps.rebind_half_open import RebindHalfOpenArguments
from drills.wavry.gateway import Answer, Offer
from tests.fakes import FakeScene
from tests.steps.fake_gateway import FakeGateway

OWN, OTHER = "127.20.2.1", "127.20.2.2"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    """What the probes dial."""
    gateway = FakeGateway()
    monkeypatch.setattr("drills.probes.accounts.GatewayHttp", gateway.http)
    monkeypatch.setattr("drills.probes.accounts.GatewaySocket.bound", gateway.socket)
    return gateway


def know(scene: FakeScene) -> None:
    know_accounts.STEP.perform(scene, KnowAccountsArguments(accounts=4))


def check(scene: FakeScene) -> None:
    check_accounts.STEP.perform(scene, Arguments())


def outcomes(scene: FakeScene, when: str) -> Counter[tuple[str, str, str]]:
    """What the looks came to: look, kind of account, outcome."""
    return Counter((look["look"], look["kind"], look["outcome"]) for look in scene.journal.named("account.look")
                   if look["when"] == when)  # fmt: skip


SOUND = {
    ("bind", "known", "bound"): 4, ("bind", "revoked", "refused"): 1, ("locked_account", "locked", "locked"): 1,
    ("locked_address", "known", "locked"): 1,
}  # fmt: skip


def test_before_the_fault_everything_is_as_it_should_be(scene: FakeScene, gateway: FakeGateway) -> None:
    """Known ones bind, the revoked one does not, the account and its address are locked."""
    know(scene)
    assert outcomes(scene, "before") == SOUND
    assert [account.kind for account in scene.known_accounts] == ["known"] * 4 + ["revoked", "locked"]
    assert gateway.bound == {}


def test_a_gateway_that_kept_everything_is_found_to_have(scene: FakeScene, gateway: FakeGateway) -> None:
    """The same looks, and logins; eight messages, each way and each kind."""
    know(scene)
    check(scene)
    assert outcomes(scene, "after") == {**SOUND, ("login", "known", "in"): 4}
    signals = Counter((one["kind"], one["outcome"]) for one in scene.journal.named("probe.signal"))
    assert signals == {("offer", "received"): 4, ("answer", "received"): 4}
    assert len({(one["sender"], one["receiver"]) for one in scene.journal.named("probe.signal")}) == 4
    assert gateway.bound == {}


def test_forgotten_tokens_are_seen(scene: FakeScene, gateway: FakeGateway) -> None:
    """Nobody is bound, so nothing is signalled; the passwords still let them in."""
    know(scene)
    gateway.tokens.clear()
    check(scene)
    assert outcomes(scene, "after")["bind", "known", "refused"] == 4
    assert outcomes(scene, "after")["login", "known", "in"] == 4
    assert scene.journal.named("probe.signal") == []


def test_a_revived_token_is_seen(scene: FakeScene, gateway: FakeGateway) -> None:
    """It binds."""
    know(scene)
    gateway.revoked.clear()
    check(scene)
    assert outcomes(scene, "after")["bind", "revoked", "bound"] == 1


@pytest.mark.parametrize(
    ("forgotten", "look", "kind"), [("@", "locked_account", "locked"), ("127", "locked_address", "known")]
)
def test_a_forgotten_lock_is_seen_for_the_account_and_for_the_address(
    scene: FakeScene, gateway: FakeGateway, forgotten: str, look: str, kind: str
) -> None:
    """Each by itself: the one is not looked at from behind the other."""
    know(scene)
    for key in [key for key in gateway.failures if forgotten in key]:
        del gateway.failures[key]
    check(scene)
    assert outcomes(scene, "after")[look, kind, "in"] == 1
    assert sum(outcomes(scene, "after")[one, of, "locked"] for one, of in SOUND_LOCKS) == 1


SOUND_LOCKS = (("locked_account", "locked"), ("locked_address", "known"))


def test_forgotten_accounts_are_seen(scene: FakeScene, gateway: FakeGateway) -> None:
    """Their own password does not let them in."""
    know(scene)
    gateway.passwords.clear()
    check(scene)
    assert outcomes(scene, "after")["login", "known", "refused"] == 4


@pytest.mark.parametrize(("kind", "word"), [(Offer, "offer"), (Answer, "answer")])
def test_lost_messages_are_seen_by_kind(scene: FakeScene, gateway: FakeGateway, kind: type, word: str) -> None:
    """All of one kind, none of the other."""
    know(scene)
    gateway.loses = {kind}
    check(scene)
    lost = Counter(one["kind"] for one in scene.journal.named("probe.signal") if one["outcome"] == "lost")
    assert lost == {word: 4}


def test_a_gateway_that_does_not_answer_has_refused_nothing(scene: FakeScene, gateway: FakeGateway) -> None:
    """Each look is tried three times, and then it is unanswered."""
    know(scene)
    gateway.mute = True
    dialled = len(gateway.dialled)
    check(scene)
    assert {outcome for _, _, outcome in outcomes(scene, "after")} == {"unanswered"}
    assert len(gateway.dialled) - dialled == 3 * sum(outcomes(scene, "after").values())


def test_accounts_that_cannot_be_made_are_no_error(scene: FakeScene, gateway: FakeGateway) -> None:
    """The drill goes on; what rests on them stays open."""
    gateway.mute = True
    know(scene)
    check(scene)
    assert [unmet["step"] for unmet in scene.journal.named("step.unmet")] == ["know_accounts", "check_accounts"]
    assert scene.journal.named("account.look") == []


def test_only_the_second_address_is_ever_locked(scene: FakeScene, gateway: FakeGateway) -> None:
    """Past the proxy, each from an address of its own."""
    know(scene)
    check(scene)
    assert {source for _, source in gateway.dialled} == {OWN, OTHER}
    assert all("ends_to_gateway" not in url for url, _ in gateway.dialled)
    assert {key for key, count in gateway.failures.items() if "@" not in key and count} == {OTHER}


def test_with_one_address_of_our_own_everything_else_goes_through_the_proxy(
    scene: FakeScene, gateway: FakeGateway
) -> None:
    """A network of containers: what is locked is the machine's address, never the one that the load shares."""
    scene.stage.sources = (None, None)
    know(scene)
    check(scene)
    assert outcomes(scene, "after") == {**SOUND, ("login", "known", "in"): 4}
    assert {key for key, count in gateway.failures.items() if "@" not in key and count} == {"http://gateway"}


def test_no_event_holds_a_secret(scene: FakeScene, gateway: FakeGateway) -> None:
    """Names yes, tokens and passwords never."""
    know(scene)
    check(scene)
    said = str(scene.journal.events)
    assert not [account for account in scene.known_accounts if account.password in said or f"'{account.token}'" in said]


def half_open(scene: FakeScene) -> list[dict[str, object]]:
    rebind_half_open.STEP.perform(scene, RebindHalfOpenArguments(rounds=3))
    return [{key: one[key] for key in ("before", "after")} for one in scene.journal.named("halfopen.round")]


def test_a_newer_socket_that_stays_reachable_is_found_so(scene: FakeScene, gateway: FakeGateway) -> None:
    """Before and after the older one ended, in each round."""
    assert half_open(scene) == [{"before": True, "after": True}] * 3


def test_a_newer_socket_that_is_forgotten_is_seen(scene: FakeScene, gateway: FakeGateway) -> None:
    """D2: reached until the older one ended, then lost, after three calls."""
    gateway.forgets_newer = True
    assert half_open(scene) == [{"before": True, "after": False}] * 3
    assert sum(one["outcome"] == "lost" for one in scene.journal.named("probe.signal")) == 9


def test_a_newer_socket_that_was_never_reached_is_not_called_afterwards(scene: FakeScene, gateway: FakeGateway) -> None:
    """Such a round has nothing to say."""
    gateway.loses = {Offer}
    assert half_open(scene) == [{"before": False, "after": False}] * 3


def test_a_round_that_cannot_be_made_is_no_error(scene: FakeScene, gateway: FakeGateway) -> None:
    """It is missing from the evidence."""
    gateway.mute = True
    assert half_open(scene) == []
    assert len(scene.journal.named("step.unmet")) == 3

"""How a relay registers, beats, and shows itself: contract-master-relay §3.2 to §3.7.

The master here is ours, with heartbeats of half a second, the least a relay accepts (§3.5).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from drills.wavry.errors import Unreachable
from drills.wavry.lease import SigningKey
from drills.wavry.packets import Ack, Reject
from tests.contract.desk import Desk
from tests.contract.fake_master import HANG_UP, HEARTBEAT, REGISTER, FakeMaster
from tests.contract.services import Addresses, Relay, Stage, Target, eventually

BEAT_S = 0.5


@dataclass
class Outage:
    """One relay under one master that fails on command."""

    master: FakeMaster
    relay: Relay

    def failing(self, status: int) -> int:
        """Heartbeats fail from now on; how many calls there had been."""
        self.master.heartbeat_status = status
        return len(self.master.calls)

    def turns(self, *, ready: bool) -> None:
        """Within three beats it is ready, or is not."""
        eventually(lambda: self.relay.http.ready().ready == ready, within_s=3 * BEAT_S)

    def registered_again(self, since: int, within_s: float) -> None:
        eventually(lambda: bool(self.master.made(REGISTER, since)), within_s=within_s)


class Flow:
    """A session with both ends, to see that datagrams pass."""

    def __init__(self, outage: Outage) -> None:
        self.desk = Desk(outage.relay, outage.master, outage.relay.relay_id)
        self.client, self.server = outage.relay.peer(), outage.relay.peer()
        self._session, self._sent = uuid4(), 0
        self.desk.presented(self.client, self._session, "client")
        self.desk.presented(self.server, self._session, "server")

    def passes(self) -> None:
        """One more datagram arrives, whatever the master does."""
        self._sent += 1
        self.client.forward(self._session, self._sent)
        assert self.server.receive(1.0) is not None

    def close(self) -> None:
        self.client.close()
        self.server.close()


@pytest.fixture
def outage(stage: Stage, addresses: Addresses) -> Iterator[Outage]:
    with FakeMaster(addresses.fresh()) as master:
        relay = stage.relay(master.base_url)
        try:
            yield Outage(master, relay)
        finally:
            relay.process.end()


def test_what_a_relay_registers(stage: Stage, addresses: Addresses) -> None:
    """§3.3, §3.5: id, the bound address, options and token; then a heartbeat at once and one each interval."""
    options = ["--region", "eu-west", "--asn", "64500", "--max-sessions", "7", "--max-bitrate-kbps", "12345"]
    with FakeMaster(addresses.fresh()) as master:
        relay = stage.relay(master.base_url, *options, environment={"WAVRY_RELAY_MASTER_TOKEN": "a-relay-token"})
        health = relay.http.health()
        call = master.made(REGISTER)[0]
        assert call.body == {
            "relay_id": health.relay_id,
            "endpoints": [f"{relay.udp[0]}:{relay.udp[1]}"],
            "region": "eu-west",
            "asn": 64500,
            "max_sessions": 7,
            "max_bitrate_kbps": 12345,
            "features": ["ipv4"],
        }
        assert UUID(health.relay_id).version == 4
        beats = eventually(lambda: master.made(HEARTBEAT) if len(master.made(HEARTBEAT)) >= 3 else None)
        assert beats[0].body == {"relay_id": health.relay_id, "load_pct": 0}
        assert {beat.authorization for beat in [call, *beats]} == {"Bearer a-relay-token"}
        assert beats[2].at_s - beats[0].at_s == pytest.approx(2 * BEAT_S, abs=0.2)
        relay.process.end()


def test_load_is_a_percentage_of_the_sessions_allowed(target: Target, outage: Outage) -> None:
    """§3.5: whole percent of --max-sessions (100). D-34: Wavry leaves half-open sessions out, though they take room."""
    desk = Desk(outage.relay, outage.master, outage.relay.relay_id)
    sessions = [uuid4() for _ in range(3)]
    with outage.relay.peer() as client, outage.relay.peer() as server:
        for session in sessions:
            desk.presented(client, session, "client")
        for session in sessions[:2]:
            desk.presented(server, session, "server")
        health = outage.relay.http.health()
        assert (health.active_sessions, health.total_sessions, health.max_sessions) == (2, 3, 100)
        load = target.expects(sound=3, wavry=2)
        eventually(lambda: outage.master.made(HEARTBEAT)[-1].body["load_pct"] == load, within_s=3 * BEAT_S)


def test_a_relay_refused_at_first_is_deaf_and_tries_again_after_one_second(stage: Stage, addresses: Addresses) -> None:
    """§3.2, §3.4: before registration no HTTP port and no UDP answer; the second try comes after 1 s, whatever the
    refusal (the reference adds up to 20 % of jitter either way, D-47)."""
    with FakeMaster(addresses.fresh(), register_status=403) as master:
        relay = stage.relay(master.base_url, ready=False)
        eventually(lambda: len(master.made(REGISTER)) == 1, within_s=15)
        with pytest.raises(Unreachable, match="refused"):
            relay.http.health()
        with relay.peer() as peer:
            assert peer.renew(uuid4()) is None
        master.register_status = 200
        assert eventually(lambda: relay.http.ready().ready)
        first, second = [call.at_s for call in master.made(REGISTER)]
        assert second - first == pytest.approx(1.0, abs=0.35)
        relay.process.end()


def test_a_forgotten_relay_registers_again_at_once_under_its_own_id(outage: Outage) -> None:
    """§3.5 row 404: registers at once, id kept, then registered and a heartbeat at once."""
    relay_id = outage.relay.relay_id
    since = outage.failing(404)
    outage.registered_again(since, within_s=2 * BEAT_S)
    calls = eventually(lambda: outage.master.calls[since:] if len(outage.master.calls) >= since + 3 else None)
    assert [call.path for call in calls[:3]] == [HEARTBEAT, REGISTER, HEARTBEAT]
    refused, again, beat = calls[:3]
    assert again.body["relay_id"] == relay_id
    assert again.at_s - refused.at_s < 0.3 and beat.at_s - again.at_s < 0.3
    assert eventually(lambda: outage.relay.http.ready().ready)


def test_six_failures_make_a_relay_register_again(stage: Stage, addresses: Addresses) -> None:
    """§3.5 rows "other status" and "transport error": not ready from the first, the sixth registers; the id stays and
    UDP never pauses. Two relays side by side, one per row, because each takes three seconds."""
    with FakeMaster(addresses.fresh()) as refusing, FakeMaster(addresses.fresh()) as hanging_up:
        outages = [Outage(master, stage.relay(master.base_url)) for master in (refusing, hanging_up)]
        flows = [(outage, Flow(outage)) for outage in outages]
        sinces = [outage.failing(status) for outage, status in zip(outages, (500, HANG_UP), strict=True)]
        for outage, flow in flows:
            outage.turns(ready=False)
            assert outage.relay.http.http.call("GET", "/ready").status == 503
            assert outage.relay.http.health().registered_with_master is False
            flow.passes()
        for (outage, flow), since in zip(flows, sinces, strict=True):
            outage.registered_again(since, within_s=8 * BEAT_S)
            outage.master.heartbeat_status = 200
            again = outage.master.made(REGISTER, since)[0]
            assert again.body["relay_id"] == flow.desk.relay_id
            assert len([beat for beat in outage.master.made(HEARTBEAT, since) if beat.at_s <= again.at_s]) == 6
            outage.turns(ready=True)
            flow.passes()
            flow.close()
            outage.relay.process.end()


def test_a_short_outage_is_healed_by_the_next_heartbeat(outage: Outage) -> None:
    """§3.5: fewer than six failures, then 2xx: registered again without a new registration."""
    since = outage.failing(500)
    outage.turns(ready=False)
    outage.master.heartbeat_status = 200
    outage.turns(ready=True)
    assert outage.master.made(REGISTER, since) == []


def test_a_master_that_returns_with_another_key(target: Target, outage: Outage) -> None:
    """§3.2, D-05: Wavry's relay keeps the first key for life and refuses every lease of the new one."""
    desk = Desk(outage.relay, outage.master, outage.relay.relay_id)
    outage.master.key = SigningKey.generate()
    since = outage.failing(404)
    outage.registered_again(since, within_s=2 * BEAT_S)
    outage.turns(ready=True)
    session = uuid4()
    with outage.relay.peer() as peer:
        answer = peer.present(session, "client", desk.lease(session))
    assert isinstance(answer, target.expects(sound=Ack, wavry=Reject))


def test_the_pages_of_a_relay(desk: Desk) -> None:
    """§3.6: /health with its 23 counters, /ready, /metrics, and their Prometheus form."""
    health = desk.relay.http.health()
    assert (health.status, health.ready, health.has_master_key, health.registered_with_master) == ("ok", *[True] * 3)
    assert health.max_sessions == 100
    page = desk.relay.http.http.call("GET", "/metrics/prometheus")
    assert page.status == 200 and page.headers["content-type"] == "text/plain; version=0.0.4"
    counters = desk.relay.counted()
    assert list(desk.relay.http.http.call("GET", "/metrics").decoded()) == list(counters.__dataclass_fields__)
    for name in counters.__dataclass_fields__:
        assert f"# TYPE wavry_relay_{name} counter\n" in page.text
        assert f'wavry_relay_{name}{{relay_id="{desk.relay_id}"}} {getattr(counters, name)}\n' in page.text
    assert "wavry_relay_active_sessions" in page.text and "wavry_relay_uptime_seconds" in page.text


def test_sigterm_ends_a_relay(outage: Outage) -> None:
    """§3.7: SIGTERM ends the process within two seconds (Wavry: at once, 143; a sound one may say goodbye)."""
    outage.relay.process.popen.send_signal(signal.SIGTERM)
    assert outage.relay.process.popen.wait(timeout=2.0) is not None


def test_sigint_and_a_relay(target: Target, outage: Outage) -> None:
    """§3.7, D-06: Wavry logs a shutdown notice and runs on; a sound relay ends."""
    outage.relay.process.popen.send_signal(signal.SIGINT)
    if target.expects(sound=True, wavry=False):
        assert outage.relay.process.popen.wait(timeout=2.0) is not None
    else:
        eventually(lambda: "Received SIGINT" in outage.relay.process.logged())
        assert outage.relay.http.health().status == "ok"


def test_options_a_relay_does_not_understand(stage: Stage) -> None:
    """§3.1, observed.md: an unknown flag, and an option that is no number, exit 2; a public address without
    permission exits 1."""
    codes = {("--version",): 2, ("--max-sessions", "many"): 2, ("--listen", "0.0.0.0:0"): 1}
    processes = [stage.start("relay", list(arguments), {}) for arguments in codes]
    assert [process.ended() for process in processes] == list(codes.values())


def test_the_documented_way_to_switch_insecure_mode_off(target: Target, stage: Stage, fake_master: FakeMaster) -> None:
    """§3.1, D-22: Wavry's relay exits 2 at the ``0`` its own manual gives; a sound relay starts."""
    environment = {"WAVRY_RELAY_ALLOW_INSECURE_DEV": "0"}
    relay = stage.relay(fake_master.base_url, environment=environment, ready=target.expects(sound=True, wavry=False))
    if target.expects(sound=False, wavry=True):
        assert relay.process.ended() == 2

"""The gateway's WebSocket: who may open one, the table of contract §5.3, forwarding, replacement, keeping alive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from drills.reference.gateway import accounts
from drills.reference.gateway.gateway import Clock, SocketTimes
from drills.reference.gateway.settings import Rates, Settings
from drills.reference.gateway.socket_route import origin_ok
from drills.reference.gateway.upkeep import recheck_sockets, upkept
from tests.reference.gateway_house import (
    ORIGIN,
    PLENTY,
    WAIT_S,
    House,
    ended,
    error_heard,
    heard,
    say,
    standing,
)

Play = Callable[[House], Awaitable[None]]


def played(folder: Path, play: Play, **settings: Any) -> None:
    """Stand a gateway up, let the test play with it, take it down; bounded in time."""

    async def run() -> None:
        async with asyncio.timeout(4 * WAIT_S), standing(folder, **settings) as house:
            await play(house)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("origin", "settings", "passes"),
    [
        ("http://localhost:3000", Settings(), True),
        (" HTTP://Localhost:3000/", Settings(), True),
        ("http://elsewhere.example", Settings(origin_required=False, origin_may_be_missing=True), False),
        (None, Settings(), False),
        (None, Settings(origin_required=False), True),
        (None, Settings(origin_may_be_missing=True), True),
    ],
)
def test_an_origin_must_be_listed_and_may_be_missing_only_on_request(
    origin: str | None, settings: Settings, passes: bool
) -> None:
    """A present one is judged whatever the flags say."""
    assert origin_ok(origin, settings) is passes


def test_an_upgrade_is_refused_without_a_body(tmp_path: Path) -> None:
    """400 for no upgrade, 403 for the Origin, 429 for the address, 503 for the gateway; places come back."""

    async def refused(house: House, headers: dict[str, str]) -> int:
        with pytest.raises(WSServerHandshakeError) as caught:
            await house.session.ws_connect(house.url + "/ws", headers=headers)
        return caught.value.status

    async def play(house: House) -> None:
        assert (await house.get("/ws", headers=ORIGIN)).status == 400
        assert await refused(house, {}) == 403
        first = await house.open()
        assert await refused(house, ORIGIN) == 429
        await first.close()
        assert not (await house.open()).closed

    async def full(house: House) -> None:
        assert await refused(house, ORIGIN) == 503

    played(tmp_path, play, sockets_per_ip_max=1)
    played(tmp_path, full, sockets_max=0)


BAD_FIRST_MESSAGES = {
    "no JSON": ("nonsense", "Invalid JSON"),
    "another dialect": ('{"type":"BIND","token":"x"}', "Invalid JSON"),
    "a missing field": ('{"type":"Bind","payload":{}}', "Invalid JSON"),
    "a bad token": ('{"type":"Bind","payload":{"token":"short"}}', "Invalid token format"),
    "an unknown token": ('{"type":"Bind","payload":{"token":"' + "0" * 64 + '"}}', "Invalid Token"),
    "an offer unbound": (
        '{"type":"Offer","payload":{"target_username":"bob","sdp":"v"}}',
        "Bind required before signaling",
    ),
    "a relay unbound": (
        '{"type":"REQUEST_RELAY","payload":{"target_username":"bob"}}',
        "Bind required before signaling",
    ),
}


@pytest.mark.parametrize("said", BAD_FIRST_MESSAGES)
def test_a_bad_first_message_is_named_and_ends_the_socket(tmp_path: Path, said: str) -> None:
    """Each in its own words, without a Close frame."""
    text, error = BAD_FIRST_MESSAGES[said]

    async def play(house: House) -> None:
        socket = await house.open()
        await socket.send_str(text)
        assert await error_heard(socket) == error
        assert await ended(socket) and socket.close_code in (None, 1006)

    played(tmp_path, play)


def test_a_binary_message_ends_the_socket(tmp_path: Path) -> None:
    """Bound or not."""

    async def play(house: House) -> None:
        socket = await house.open()
        await socket.send_bytes(b"x")
        assert await error_heard(socket) == "Binary messages are not supported" and await ended(socket)

    played(tmp_path, play)


def test_a_message_of_64_kib_is_read_and_a_longer_one_ends_the_socket(tmp_path: Path) -> None:
    """65 536 bytes are judged by their content, 65 537 are not looked at."""

    async def play(house: House) -> None:
        socket = await house.open()
        await socket.send_str("x" * 65_536)
        assert await error_heard(socket) == "Invalid JSON"
        other = await house.open()
        await other.send_str("x" * 65_537)
        assert await ended(other)

    played(tmp_path, play)


def test_a_second_bind_ends_the_socket(tmp_path: Path) -> None:
    """Even with the same token."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        socket = await house.bound(token)
        await say(socket, "Bind", token=token)
        assert await error_heard(socket) == "Already bound" and await ended(socket)

    played(tmp_path, play)


def test_binds_are_limited_per_address_good_and_bad_alike(tmp_path: Path) -> None:
    """Ten a minute by default; the next minute is new."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        for _ in range(10):
            await (await house.bound(token)).close()
        late = await house.open()
        await say(late, "Bind", token=token)
        assert await error_heard(late) == "Bind rate limit exceeded" and await ended(late)
        house.time.pass_s(60)
        assert not (await house.bound(token)).closed

    played(tmp_path, play, rates=Rates(PLENTY, PLENTY, PLENTY, Rates().ws_bind, PLENTY))


def test_a_bind_without_a_database_says_so(tmp_path: Path) -> None:
    """A failed look-up is not an invalid token."""

    async def play(house: House) -> None:
        await house.gateway.database.write(lambda db: db.execute("ALTER TABLE sessions RENAME TO away"))
        socket = await house.open()
        await say(socket, "Bind", token="0" * 64)
        assert await error_heard(socket) == "Token lookup failed" and await ended(socket)

    played(tmp_path, play)


@pytest.mark.parametrize(
    ("tag", "field"),
    [
        ("Offer", "sdp"),
        ("Answer", "sdp"),
        ("Candidate", "candidate"),
        ("OFFER_RIFT", "hello_base64"),
        ("ANSWER_RIFT", "ack_base64"),
    ],
)
def test_every_kind_is_passed_on_under_the_senders_name(tmp_path: Path, tag: str, field: str) -> None:
    """Content verbatim, target in any case (D32), nothing said to the sender."""

    async def play(house: House) -> None:
        ann = await house.bound(await house.register("ann"))
        bob = await house.bound(await house.register("bob"))
        await say(ann, tag, **{"target_username": "BOB", field: "käse \\ \"'"})
        assert await heard(bob) == {"type": tag, "payload": {"target_username": "ann", field: "käse \\ \"'"}}
        await say(ann, tag, **{"target_username": "ann", field: ""})
        assert (await heard(ann))["payload"] == {"target_username": "ann", field: ""}

    played(tmp_path, play)


def test_what_is_wrong_with_a_bound_sockets_message_is_said_and_it_stays(tmp_path: Path) -> None:
    """Bad payloads, unreachable targets (D20), messages only a server sends."""

    async def play(house: House) -> None:
        ann = await house.bound(await house.register("ann"))
        for tag, payload, error in (
            ("Offer", {"target_username": "b", "sdp": "v"}, "Invalid OFFER payload"),
            ("Candidate", {"target_username": "bob", "candidate": "x" * 4097}, "Invalid CANDIDATE payload"),
            ("OFFER_RIFT", {"target_username": "bob", "hello_base64": "x" * 8193}, "Invalid OFFER_RIFT payload"),
            ("Answer", {"target_username": "bob", "sdp": "v"}, "Target user 'bob' is not connected"),
            ("REQUEST_RELAY", {"target_username": "b"}, "Invalid target username"),
            ("REQUEST_RELAY", {"target_username": "ann"}, "Invalid target username"),
            ("REQUEST_RELAY", {"target_username": "bob"}, "Target user 'bob' is not connected"),
            ("Error", {"message": "x"}, "Unsupported client message type"),
        ):
            await say(ann, tag, **payload)
            assert await error_heard(ann) == error
        assert await house.count() == 1

    played(tmp_path, play)


def test_the_601st_message_of_a_minute_ends_the_socket(tmp_path: Path) -> None:
    """Texts and pings count alike."""

    async def play(house: House) -> None:
        socket = await house.bound(await house.register("ann"))
        for _ in range(300):
            await socket.ping()
            await say(socket, "Error", message="x")
        for _ in range(299):
            assert await error_heard(socket) == "Unsupported client message type"
        assert await error_heard(socket) == "Rate limit exceeded" and await ended(socket)

    played(tmp_path, play)


def test_the_newer_socket_speaks_for_the_user_and_survives_the_olders_end(tmp_path: Path) -> None:
    """The older is told, may go on sending, and takes nothing with it when it closes (D2)."""

    async def play(house: House) -> None:
        ann = await house.register("ann")
        bob = await house.bound(await house.register("bob"))
        older, newer = await house.bound(ann), await house.bound(ann)
        assert await error_heard(older) == "Session replaced by a newer connection"
        await say(older, "Offer", target_username="bob", sdp="v")
        assert (await heard(bob))["payload"]["target_username"] == "ann"
        await older.close()
        await say(bob, "Answer", target_username="ann", sdp="v")
        assert (await heard(newer))["type"] == "Answer"
        assert await house.count() == 2

    played(tmp_path, play)


def test_a_relay_session_is_given_to_both_ends(tmp_path: Path) -> None:
    """The same token, id and address; it is counted, and its life ends."""

    async def play(house: House) -> None:
        ann = await house.bound(await house.register("ann"))
        bob = await house.bound(await house.register("bob"))
        await say(ann, "REQUEST_RELAY", target_username="Bob")
        given = await heard(ann)
        assert given == await heard(bob) and given["type"] == "RELAY_CREDENTIALS"
        assert list(given["payload"]) == ["token", "addr", "session_id"]
        assert len(given["payload"]["token"]) == 64 and given["payload"]["addr"] == "192.0.2.1:4000"
        await say(ann, "REQUEST_RELAY", target_username="bob")
        assert await error_heard(ann) == "Relay session capacity reached"
        assert (await house.get("/metrics/runtime")).json["active_relay_sessions"] == 1
        house.time.pass_s(30)
        await say(ann, "REQUEST_RELAY", target_username="bob")
        assert (await heard(ann))["payload"]["token"] != given["payload"]["token"]

    settings = {"relay_public_addr": "192.0.2.1:4000", "relay_sessions_max": 1, "relay_session_ttl_s": 30.0}
    played(tmp_path, play, **settings)


def test_a_socket_that_does_not_bind_in_time_is_closed_by_the_clock(tmp_path: Path) -> None:
    """Without having said anything (D15)."""

    async def play(house: House) -> None:
        socket = await house.open()
        assert await error_heard(socket) == "Bind timeout" and await ended(socket)

    played(tmp_path, play, socket_times=SocketTimes(bind_s=0.02))


def test_a_silent_socket_is_pinged_and_dropped_when_it_does_not_answer(tmp_path: Path) -> None:
    """And with it goes its place in the map (D15)."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        deaf = await house.session.ws_connect(house.url + "/ws", headers=ORIGIN, autoping=False)
        await say(deaf, "Bind", token=token)
        await deaf.receive_json(timeout=WAIT_S)
        seen = [(await deaf.receive(timeout=WAIT_S)).type for _ in range(2)]
        assert seen[0] is WSMsgType.PING and seen[1] in {WSMsgType.CLOSED, WSMsgType.ERROR}
        assert await house.count() == 0 and "no pong" in house.log.getvalue()

    played(tmp_path, play, clock=Clock(), socket_times=SocketTimes(ping_s=0.03, pong_s=0.03))


def test_a_socket_that_answers_pings_is_kept(tmp_path: Path) -> None:
    """Three pings long, without a word of its own (D15)."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        quiet = await house.session.ws_connect(house.url + "/ws", headers=ORIGIN, autoping=False)
        await say(quiet, "Bind", token=token)
        await quiet.receive_json(timeout=WAIT_S)
        for _ in range(3):
            frame = await quiet.receive(timeout=WAIT_S)
            assert frame.type is WSMsgType.PING
            await quiet.pong(frame.data)
        assert await house.count() == 1
        await quiet.close()

    played(tmp_path, play, clock=Clock(), socket_times=SocketTimes(ping_s=0.03, pong_s=1.0))


def test_logging_out_closes_the_socket(tmp_path: Path) -> None:
    """Only the one bound with that token (D26)."""

    async def play(house: House) -> None:
        ann, bob = await house.register("ann"), await house.register("bob")
        first, second = await house.bound(ann), await house.bound(bob)
        await house.post("/auth/logout", headers={"X-Session-Token": ann})
        assert await error_heard(first) == "Session revoked" and await ended(first)
        await say(second, "Offer", target_username="bob", sdp="v")
        assert (await heard(second))["type"] == "Offer"

    played(tmp_path, play)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sessions",
        "UPDATE sessions SET expires_at = '2026-11-23T12:00:00.000000000+00:00'",
        "INSERT INTO user_bans SELECT id, NULL, '2026-11-23 12:00:00', NULL FROM users",
    ],
)
def test_a_right_that_is_lost_by_other_hands_closes_the_socket(tmp_path: Path, statement: str) -> None:
    """A deletion, an expiry or a ban written by SQL is seen at the next look (D25, D26)."""

    async def play(house: House) -> None:
        socket = await house.bound(await house.register("ann"))
        await recheck_sockets(house.gateway)
        assert await house.count() == 1
        await house.gateway.database.write(lambda db: db.execute(statement))
        await recheck_sockets(house.gateway)
        assert await error_heard(socket) == "Session revoked or expired" and await ended(socket)

    played(tmp_path, play)


def test_a_lost_database_closes_nobody(tmp_path: Path) -> None:
    """An outage of ours is not the users' fault."""

    async def play(house: House) -> None:
        socket = await house.bound(await house.register("ann"))
        await house.gateway.database.write(lambda db: db.execute("ALTER TABLE sessions RENAME TO away"))
        await recheck_sockets(house.gateway)
        await say(socket, "Offer", target_username="ann", sdp="v")
        assert (await heard(socket))["type"] == "Offer"

    played(tmp_path, play)


def test_a_peer_that_does_not_read_holds_up_nobody_else(tmp_path: Path) -> None:
    """Its outbox fills, senders hear that it is not connected, health answers (D16)."""

    async def play(house: House) -> None:
        ann = await house.bound(await house.register("ann"))
        deaf = house.gateway.switchboard.find("ann")
        assert deaf is not None
        filled = 0
        while deaf.deliver("x"):
            filled += 1
        bob = await house.register("bob")
        answer = await house.post("/webrtc/offer", {"session_token": bob, "target_username": "ann", "sdp": "v"})
        assert filled == 128 or answer.status == 202
        assert (await house.get("/health")).status == 200
        await ann.close()

    played(tmp_path, play)


def test_sockets_are_sent_away_when_the_gateway_ends(tmp_path: Path) -> None:
    """With 1001, so that a client knows it may come back (D18)."""
    seen: list[tuple[object, object]] = []

    async def run() -> None:
        async with asyncio.timeout(4 * WAIT_S), standing(tmp_path) as house:
            socket = await house.bound(await house.register("ann"))

            async def last() -> None:
                frame = await socket.receive(timeout=WAIT_S)
                seen.append((frame.type, frame.data))
                await socket.close()

            listening = asyncio.create_task(last())
            house.sockets.clear()
            for peer in house.gateway.switchboard.peers:
                peer.go_away()  # type: ignore[attr-defined]
            await listening

    asyncio.run(run())
    assert seen == [(WSMsgType.CLOSE, 1001)]


def offers_delivered(folder: Path, *defects: str) -> list[int]:
    """Which of twenty Offers arrive."""
    arrived: list[int] = []

    async def play(house: House) -> None:
        ann = await house.bound(await house.register("ann"))
        for number in range(1, 21):
            await say(ann, "Offer", target_username="ann", sdp=str(number))
            await say(ann, "Answer", target_username="ann", sdp="after")
            message = await heard(ann)
            if message["type"] == "Offer":
                arrived.append(int(message["payload"]["sdp"]))
                message = await heard(ann)
            assert message["type"] == "Answer"

    played(folder, play, defects=defects)
    return arrived


def test_every_offer_arrives(tmp_path: Path) -> None:
    """The sound twin of the defect below."""
    assert offers_delivered(tmp_path) == list(range(1, 21))


def test_the_defect_loses_every_tenth_offer_in_silence(tmp_path: Path) -> None:
    """gateway_loses_one_offer_in_ten: Offers 10 and 20 vanish, Answers do not, nobody is told."""
    arrived = offers_delivered(tmp_path, "gateway_loses_one_offer_in_ten")
    assert arrived == [number for number in range(1, 21) if number % 10]


def test_a_token_is_stored_as_its_hash_only(tmp_path: Path) -> None:
    """h1: and the SHA-256 of its text."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        row = await house.gateway.database.read(lambda db: db.execute("SELECT token FROM sessions").fetchone())
        assert row == (accounts.token_hash(token),) and row[0].startswith("h1:") and token not in row[0]

    played(tmp_path, play)


@pytest.mark.parametrize("defects", [(), ("gateway_drops_sockets",)])
def test_a_socket_stays_bound_unless_the_defect_drops_it(tmp_path: Path, defects: tuple[str, ...]) -> None:
    """gateway_drops_sockets: whoever is bound longest is closed and may not bind for a while; the sound one never."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        socket = await house.bound(token)
        async with upkept(house.gateway):
            if not defects:
                assert house.gateway.shut_out == {}
                await say(socket, "Offer", target_username="ann", sdp="still there")
                assert (await heard(socket))["type"] == "Offer"
                return
            assert await error_heard(socket) == "Going away"
            assert await ended(socket)
            again = await house.open()
            await say(again, "Bind", token=token)
            assert await error_heard(again) == "Token lookup failed"

    played(tmp_path, play, defects=defects)


@pytest.mark.parametrize(("defects", "bound"), [((), True), (("gateway_forgets_tokens_early",), False)])
def test_a_token_is_good_for_a_day_unless_the_defect_forgets_it(
    tmp_path: Path, defects: tuple[str, ...], bound: bool
) -> None:
    """gateway_forgets_tokens_early: after ten seconds it is an invalid one."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        house.time.pass_s(11.0)
        socket = await house.open()
        await say(socket, "Bind", token=token)
        answer = await heard(socket)
        assert (answer["type"] == "Bound") is bound
        assert bound or answer["payload"]["message"] == "Invalid Token"

    played(tmp_path, play, defects=defects)


@pytest.mark.parametrize("defects", [(), ("gateway_drops_candidates",)])
def test_a_candidate_arrives_unless_the_defect_drops_it(tmp_path: Path, defects: tuple[str, ...]) -> None:
    """gateway_drops_candidates: nobody is told, and everything else passes."""
    arrived: list[str] = []

    async def play(house: House) -> None:
        ann = await house.bound(await house.register("ann"))
        await say(ann, "Candidate", target_username="ann", candidate="127.0.0.1:1")
        await say(ann, "Answer", target_username="ann", sdp="after")
        while "Answer" not in arrived:
            arrived.append((await heard(ann))["type"])

    played(tmp_path, play, defects=defects)
    assert arrived == (["Answer"] if defects else ["Candidate", "Answer"])

"""The gateway's rules, limiters, lockouts, codes and clocks, without any I/O."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from drills.reference.gateway import dialect, lockout, moments, rules, totp
from drills.reference.gateway.binding import RefusedBind, parsed, shown
from drills.reference.gateway.database import StoreError, located
from drills.reference.gateway.health import DatabaseHealth
from drills.reference.gateway.limiter import Limiter
from drills.reference.gateway.lockout import Failures
from drills.reference.gateway.passwords import paced_hasher, wavry_hasher
from drills.reference.gateway.pulse import Act, Pulse
from drills.reference.gateway.relay_sessions import PER_REQUESTER_MAX, RelaySessions
from drills.reference.gateway.settings import DEFAULT_ORIGINS, Rate, Settings
from drills.reference.gateway.switchboard import Holder, NoPlace, Switchboard
from drills.reference.strict_json import NotJson, WrongShape, decoded

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("email", ["a@x.org", "a.b+c@sub.x.org", "ü@x.org", "a" * 248 + "@x.org"])
def test_an_ordinary_address_is_accepted(email: str) -> None:
    """One @, a local part, a dotted domain, at most 254 bytes."""
    assert rules.email_ok(email)


@pytest.mark.parametrize(
    "email", ["", "a", "@x.org", "a@x", "a@.org", "a@x.", "a@b@x.org", "a b@x.org", "a" * 249 + "@x.org"]
)
def test_an_odd_address_is_refused(email: str) -> None:
    """Each breaks one clause of the rule."""
    assert not rules.email_ok(email)


def test_lengths_are_counted_in_bytes() -> None:
    """Eight two-byte letters are sixteen, and a name of 64 bytes may be no longer."""
    assert rules.new_password_ok("ü" * 6) and not rules.new_password_ok("ü" * 65)
    assert rules.display_name_ok("ü" * 32) and not rules.display_name_ok("ü" * 33)


def test_only_ascii_letters_are_lowered() -> None:
    """The Kelvin sign stays what it is, so that no address turns into another."""
    assert rules.email_form("  A\u212a@X.org ") == "a\u212a@x.org"


def test_names_tokens_and_codes_have_one_alphabet() -> None:
    """3 to 32, 32 to 256 and exactly 6; no other script's digits."""
    assert rules.name_ok("a.B-_") and not rules.name_ok("ab") and not rules.name_ok("a b") and not rules.name_ok("añb")
    assert rules.token_ok("f" * 32) and not rules.token_ok("f" * 31) and not rules.token_ok("f" * 257)
    assert rules.code_ok("012345") and not rules.code_ok("12345") and not rules.code_ok("１２３４５６")


def test_a_window_passes_its_limit_and_then_refuses_until_it_ends() -> None:
    """Refused requests count too, and the window starts at the first request."""
    limiter = Limiter(Rate(2, 60, 10))
    assert [limiter.passes("a", at) for at in (0, 30, 59, 59.9)] == [True, True, False, False]
    assert limiter.passes("a", 60)


def test_a_limit_of_zero_refuses_all() -> None:
    """Zero is a limit, not its absence."""
    assert not Limiter(Rate(0, 60, 10)).passes("a", 0)


def test_a_full_table_refuses_only_new_keys() -> None:
    """Known keys go on passing while strangers wait for the oldest window to end (D23)."""
    limiter = Limiter(Rate(5, 60, 2))
    assert limiter.passes("a", 0) and limiter.passes("b", 10)
    assert not limiter.passes("c", 20) and limiter.passes("a", 20) and limiter.passes("b", 20)
    assert limiter.passes("c", 60)


def test_five_failures_lock_for_fifteen_minutes_after_the_last() -> None:
    """The fifth locks, and the lock ends to the second."""
    failures = None
    for _ in range(5):
        assert not lockout.locked(failures, NOON)
        failures = lockout.after_failure(failures, NOON)
    assert lockout.locked(failures, NOON + timedelta(minutes=14, seconds=59))
    assert not lockout.locked(failures, NOON + timedelta(minutes=15))


def test_a_failure_after_the_lock_starts_counting_again() -> None:
    """One more mistake after 15 min does not lock again at once (D24)."""
    later = NOON + timedelta(minutes=15)
    assert lockout.after_failure(Failures(5, NOON), later) == Failures(1, later)


def test_codes_are_those_of_rfc_6238() -> None:
    """The SHA-1 vectors of appendix B, last six digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert [totp.code(secret, at) for at in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


def test_a_code_is_good_one_step_either_way() -> None:
    """30 s early or late is accepted, 60 s is not."""
    secret = totp.new_secret()
    code = totp.code(secret, 3000)
    assert [totp.matches(secret, code, at) for at in (2940, 2970, 3000, 3030, 3060)] == [False, True, True, True, False]


def test_a_sealed_secret_opens_with_its_key_only() -> None:
    """Another key, a damaged row and a plain row are all unavailable, never wrong codes."""
    ours, other = (totp.Vault(base64.b64encode(bytes([n]) * 32).decode()) for n in (1, 2))
    sealed = ours.sealed("A" * 32)
    assert sealed.startswith("enc:v1:") and ours.opened(sealed) == "A" * 32
    for stored in (sealed[:-8] + "AAAAAAA=", "A" * 32, "enc:v1:", "enc:v1:%%"):
        with pytest.raises(totp.SecretUnavailable):
            ours.opened(stored)
    with pytest.raises(totp.SecretUnavailable):
        other.opened(sealed)


def test_without_a_key_nothing_is_sealed_unless_plain_rows_are_allowed() -> None:
    """The insecure setting stores the text as it is."""
    with pytest.raises(totp.SecretUnavailable):
        totp.Vault("").sealed("A" * 32)
    assert totp.Vault("", plain_allowed=True).sealed("A" * 32) == "A" * 32


@pytest.mark.parametrize("given", ["", "ABC", "a" * 32, "A" * 24 + "=", "A" * 25 + "1", "A" * 17])
def test_a_secret_that_is_not_long_unpadded_base32_is_refused(given: str) -> None:
    """Lower case, padding, other digits and fewer than 16 bytes."""
    assert totp.secret_form(given) is None


def test_whitespace_in_a_secret_is_taken_out() -> None:
    """People copy secrets in groups of four."""
    assert totp.secret_form(" ABCD " * 8) == "ABCD" * 8


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T11:59:59.123456789+00:00", "2026-11-23T11:59:59+00:00", "2026-11-23 11:59:59", "2026-11-23 12:00:00"],
)
def test_a_moment_of_today_passes_in_either_stored_form(text: str) -> None:
    """Text comparison would keep the T form alive until midnight (D3)."""
    assert moments.passed(text, NOON)


def test_an_unreadable_moment_counts_as_passed() -> None:
    """A damaged row never keeps a token alive."""
    assert moments.passed("soon", NOON) and not moments.passed("2026-11-23 12:00:01", NOON)


def test_moments_are_shown_with_as_many_digits_as_they_need() -> None:
    """RFC 3339 with Z and 0, 3 or 6 digits."""
    shown_as = [moments.rfc3339(NOON.replace(microsecond=us)) for us in (0, 500_000, 1)]
    assert shown_as == ["2026-11-23T12:00:00Z", "2026-11-23T12:00:00.500Z", "2026-11-23T12:00:00.000001Z"]


@pytest.mark.parametrize(
    "raw", [b"", b'{"a', b"{'a':1}", b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b"[" * 9999]
)
def test_what_is_not_json_is_said_to_be_not_json(raw: bytes) -> None:
    """NaN, lone surrogates, bad UTF-8 and bottomless nesting are no JSON either."""
    with pytest.raises(NotJson):
        decoded(raw, trailing_ignored=True)


def test_bytes_after_the_first_value_are_ignored_in_bodies_only() -> None:
    """HTTP bodies may go on, socket messages may not."""
    assert decoded(b' {"a":1} more', trailing_ignored=True) == {"a": 1}
    with pytest.raises(NotJson):
        decoded(b'{"a":1} more', trailing_ignored=False)


@pytest.mark.parametrize(
    "raw", [b"{}", b'{"n":true}', b'{"n":1.5}', b'{"n":9223372036854775808}', b'{"n":1,"n":1}', b"[]"]
)
def test_a_field_of_the_wrong_shape_is_refused(raw: bytes) -> None:
    """Missing, another type, out of range, or given twice."""
    with pytest.raises(WrongShape):
        decoded(raw, trailing_ignored=True).integer("n")


def test_unknown_fields_may_repeat() -> None:
    """Only a field that is asked for must be unique."""
    assert decoded(b'{"n":1,"x":1,"x":2}', trailing_ignored=True).integer("n") == 1


def test_details_never_quote_what_was_sent() -> None:
    """A body may hold a password."""
    with pytest.raises(NotJson) as caught:
        decoded(b'{"password": hunter2}', trailing_ignored=True)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        '{"type":"BIND","token":"x"}',
        '{"type":"bind","payload":{"token":"x"}}',
        '{"type":"Bind"}',
        '{"type":"Bind","payload":{}}',
        '{"type":"Offer","payload":{"target_username":"bob"}}',
        '{"type":"Error","payload":{}}',
        '{"type":"Unheard","payload":{}}',
        '{"type":"Bound","payload":{}}',
        '{"type":"RELAY_CREDENTIALS","payload":{"token":"x","addr":"y","session_id":"z"}}',
    ],
)
def test_another_dialect_is_not_understood(text: str) -> None:
    """Tags are exact and every field is required."""
    with pytest.raises((NotJson, WrongShape)):
        dialect.message(text)


def test_a_forwarded_message_carries_its_sender_and_nothing_else_changes() -> None:
    """The target's name gives way to the sender's; the content is verbatim."""
    said = dialect.message('{"type":"OFFER_RIFT","payload":{"target_username":"Bob","hello_base64":"+/=","x":1}}')
    assert isinstance(said, dialect.Forward) and said.target == "bob" and said.problem is None
    assert json.loads(said.text_from("al")) == {
        "type": "OFFER_RIFT",
        "payload": {"target_username": "al", "hello_base64": "+/="},
    }


@pytest.mark.parametrize(
    ("tag", "field", "bytes_max", "text"),
    [
        ("OFFER_RIFT", "hello_base64", 8192, "Invalid OFFER_RIFT payload"),
        ("ANSWER_RIFT", "ack_base64", 8192, "Invalid ANSWER_RIFT payload"),
        ("Offer", "sdp", 32768, "Invalid OFFER payload"),
        ("Answer", "sdp", 32768, "Invalid ANSWER payload"),
        ("Candidate", "candidate", 4096, "Invalid CANDIDATE payload"),
    ],
)
def test_every_forwarded_kind_has_its_limit_and_its_words(tag: str, field: str, bytes_max: int, text: str) -> None:
    """The limit itself passes, one byte more does not, and neither does a bad target; empty content passes."""
    assert dialect.Forward(tag, "bob", "x" * bytes_max).problem is None
    assert dialect.Forward(tag, "bob", "").problem is None
    assert dialect.Forward(tag, "bob", "x" * (bytes_max + 1)).problem == text
    assert dialect.Forward(tag, "b", "x").problem == text
    assert dialect.FORWARDED[tag].field == field


def test_a_silent_peer_is_pinged_and_then_dropped() -> None:
    """30 s of silence, a ping, 10 s without a pong (D15)."""
    pulse = Pulse(30, 10, heard_at=0)
    assert (pulse.act(0), pulse.look_at) == (Act.WAIT, 30)
    assert (pulse.act(30), pulse.look_at) == (Act.PING, 40)
    assert pulse.act(40) is Act.DROP


def test_any_sign_of_life_puts_the_ping_off() -> None:
    """A peer that talks is never pinged, one that answers starts afresh."""
    pulse = Pulse(30, 10, heard_at=0)
    pulse.heard(20)
    assert (pulse.act(30), pulse.look_at) == (Act.WAIT, 50)
    assert pulse.act(50) is Act.PING
    pulse.heard(51)
    assert (pulse.act(60), pulse.look_at) == (Act.WAIT, 81)


def test_a_gateway_that_slept_blames_nobody() -> None:
    """Waking a minute late asks again instead of dropping."""
    pulse = Pulse(30, 10, heard_at=0)
    pulse.act(0)
    assert pulse.act(30) is Act.PING
    assert pulse.act(100) is Act.PING
    assert pulse.act(110) is Act.DROP


def test_relay_sessions_end_with_their_life_and_make_room() -> None:
    """A full table opens again when the oldest is over, and zero means always full."""
    sessions = RelaySessions(300, 2)
    assert sessions.opened("a", 0) and sessions.opened("b", 10)
    assert sessions.opened("c", 299) is None and len(sessions) == 2
    assert sessions.opened("c", 300) and len(sessions) == 2
    assert RelaySessions(300, 0).opened("a", 0) is None


def test_one_requester_cannot_take_every_relay_session() -> None:
    """The 65th is refused while others are served (D21)."""
    sessions = RelaySessions(300, 4096)
    assert all(sessions.opened("a", 0) for _ in range(PER_REQUESTER_MAX))
    assert sessions.opened("a", 1) is None and sessions.opened("b", 1) is not None
    assert sessions.opened("a", 300) is not None


class Silent:
    """A peer that takes everything and says nothing."""

    def __init__(self) -> None:
        self.holder: Holder | None = None
        self.ended_with: str | None = None

    def deliver(self, text: str) -> bool:
        """Take a text."""
        return True

    def end(self, reason: str) -> None:
        """Remember why."""
        self.ended_with = reason


def test_closing_the_older_socket_leaves_the_newer_in_the_map() -> None:
    """And closing the newer then empties it (D2)."""
    board, older, newer = Switchboard(10, 10), Silent(), Silent()
    holder = Holder("1", "al", "h1:a")
    assert board.bind(older, holder) is None
    assert board.bind(newer, holder) is older
    board.leave(older)
    assert board.find("al") is newer and board.bound_count == 1
    board.leave(newer)
    assert board.find("al") is None and board.bound_count == 0


def test_places_are_counted_per_address_and_in_all() -> None:
    """The address's limit answers first, and a freed place can be taken again."""
    board = Switchboard(3, 2)
    for ip in ("a", "a", "b"):
        board.take_place(ip)
    for ip, status in (("a", 429), ("c", 503)):
        with pytest.raises(NoPlace) as refused:
            board.take_place(ip)
        assert refused.value.status == status
    board.free_place("b")
    board.take_place("c")


def test_health_is_degraded_by_a_failed_check_and_by_silence() -> None:
    """A failed check shows at once, a hanging one after two seconds, a good one heals (D19)."""
    health = DatabaseHealth(0)
    assert health.degraded(2) is None
    assert health.degraded(2.1) == "database: no answer for 2.1 s"
    health.bad(3, "read-only")
    assert health.degraded(3) == "database: read-only"
    health.good(4)
    assert health.degraded(4) is None


@pytest.mark.parametrize(
    ("url", "path", "mode"),
    [
        ("sqlite:///var/g.db", "/var/g.db", "rw"),
        ("sqlite:/var/g%20h.db", "/var/g h.db", "rw"),
        ("sqlite:///var/g.db?mode=rwc", "/var/g.db", "rwc"),
        ("sqlite::memory:", ":memory:", "rw"),
    ],
)
def test_a_database_url_names_a_file_and_a_mode(url: str, path: str, mode: str) -> None:
    """Prefixes go, escapes are decoded, and the file is made only on request."""
    assert located(url) == (path, mode)


@pytest.mark.parametrize("query", ["mode=odd", "colour=red"])
def test_an_unknown_database_option_is_an_error(query: str) -> None:
    """A misspelt option is not dropped in silence."""
    with pytest.raises(StoreError):
        located(f"sqlite:g.db?{query}")


@pytest.mark.parametrize(
    "text", ["", "localhost:3000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:3000", "[127.0.0.1]:1"]
)
def test_a_bind_address_is_a_literal(text: str) -> None:
    """No host names, no missing ports, IPv6 in brackets."""
    with pytest.raises(RefusedBind, match="invalid socket address syntax"):
        parsed(text)


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    """Or the signaling URL would not parse (D37)."""
    ip, port = parsed("[::1]:3000")
    assert shown(str(ip), port) == "[::1]:3000"


def test_settings_read_booleans_numbers_and_origins_as_wavry_does() -> None:
    """Spelled-out truths, plain decimals, normalised origins; everything else is the default."""
    read = Settings.from_environment(
        {
            "WAVRY_TRUST_PROXY_HEADERS": " Yes ",
            "WAVRY_WS_REQUIRE_ORIGIN": "maybe",
            "WAVRY_WS_MAX_PER_IP": " 5",
            "WAVRY_AUTH_RATE_LIMIT": "7",
            "WAVRY_RELAY_SESSION_TTL_SECS": "1",
            "WAVRY_ALLOWED_ORIGINS": " HTTPS://A.example/ ,,",
            "WAVRY_ALLOW_INSECURE_TOTP": "1",
            "WAVRY_ENVIRONMENT": "production",
        }
    )
    assert read.trust_proxy and not read.origin_required and not read.plain_totp_allowed
    assert (read.sockets_per_ip_max, read.rates.auth.limit, read.relay_session_ttl_s) == (16, 7, 30)
    assert read.origins == ("https://a.example",) and Settings.from_environment({}).origins == DEFAULT_ORIGINS


@pytest.mark.parametrize(("divisor", "share"), [(1.0, 1.0), (0.5, 1.0), (10.0, 0.1), (2.0, 0.5)])
def test_a_hash_costs_as_much_less_work_as_the_timers_are_shorter(divisor: float, share: float) -> None:
    """Memory times passes; at real pace it is Wavry's own, and never more."""
    wavrys, ours = wavry_hasher(), paced_hasher(divisor)
    assert ours.memory_cost * ours.time_cost == pytest.approx(share * wavrys.memory_cost * wavrys.time_cost, rel=0.01)
    if share == 1.0:
        assert (ours.time_cost, ours.memory_cost, ours.parallelism) == (2, 19_456, 1)

"""The command line and environment of contract-master-relay.md §3.1, and where ours differs."""

from __future__ import annotations

import pytest

from drills.reference.relay.options import HostPort, Options, bind_refusal, parse_options
from drills.reference.timers import Timers
from tests.reference.relay_bench import KEY

LOOPBACK = ["--listen", "127.0.0.1:4000"]
CONTAINER = {"container": "docker"}


def options(*arguments: str, **environment: str) -> Options:
    return parse_options(arguments, environment, Timers())


def test_the_defaults_are_wavrys() -> None:
    """Every default of the table."""
    found = options()
    assert (str(found.listen), str(found.health_listen)) == ("0.0.0.0:4000", "127.0.0.1:9091")
    assert (found.master_url, found.max_bitrate_kbps, found.cleanup_s, found.stats_s) == (
        "http://localhost:8080",
        20000,
        10,
        30,
    )
    limits = found.limits
    assert (limits.sessions_max, limits.shed_percent, limits.lease_s, limits.idle_s) == (100, 95, 300, 60)
    assert (limits.address_pps, limits.identity_pps, limits.queue_capacity) == (1000, 200, 2048)
    assert (found.region, found.asn, found.master_public_key, found.master_auth_token) == (None, None, None, None)


def test_the_command_line_wins_over_the_environment() -> None:
    """And an empty variable counts as unset."""
    assert str(options(WAVRY_RELAY_LISTEN="127.0.0.5:1").listen) == "127.0.0.5:1"
    assert str(options(*LOOPBACK, WAVRY_RELAY_LISTEN="127.0.0.5:1").listen) == "127.0.0.1:4000"
    found = options(
        WAVRY_RELAY_LISTEN="", WAVRY_RELAY_MASTER_PUBLIC_KEY="", WAVRY_RELAY_ASN="", WAVRY_RELAY_MASTER_TOKEN=""
    )
    assert found == options()


def test_every_variable_has_its_flag() -> None:
    """The environment twins of the table."""
    found = options(
        WAVRY_MASTER_URL="http://127.0.0.1:1/",
        WAVRY_RELAY_MASTER_PUBLIC_KEY=KEY.public_hex,
        WAVRY_RELAY_MASTER_TOKEN="secret-token",
        WAVRY_RELAY_IP_RATE_LIMIT_PPS="7",
        WAVRY_RELAY_IDENTITY_RATE_LIMIT_PPS="0",
        WAVRY_RELAY_PACKET_QUEUE_CAPACITY="1",
        WAVRY_RELAY_HEALTH_LISTEN="[::1]:9",
        WAVRY_RELAY_REGION="eu-west",
        WAVRY_RELAY_ASN="64500",
        WAVRY_RELAY_MAX_BITRATE="5",
    )
    assert (found.master_url, found.master_public_key) == ("http://127.0.0.1:1", KEY.public_key)
    assert (found.limits.address_pps, found.limits.identity_pps, found.limits.queue_capacity) == (7, 1, 64)
    assert (str(found.health_listen), found.region, found.asn, found.max_bitrate_kbps) == (
        "[::1]:9",
        "eu-west",
        64500,
        5,
    )
    assert found.master_auth_token == "secret-token" and "secret-token" not in repr(found)


def test_the_pace_divides_session_times_only() -> None:
    """Lease, idle and cleanup, not the rates."""
    found = parse_options([], {}, Timers(10))
    assert (found.limits.lease_s, found.limits.idle_s, found.cleanup_s) == (30, 6, 1)
    assert (found.limits.address_pps, found.stats_s) == (1000, 30)


@pytest.mark.parametrize("word", ["0", "1", "true", "FALSE", "Yes", "no", "on", "off", ""])
def test_the_usual_words_are_booleans(word: str) -> None:
    """Wavry takes only true and false (D-22)."""
    assert options(WAVRY_RELAY_ALLOW_INSECURE_DEV=word) == options("--allow-insecure-dev")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--listen", "localhost:4000"], {}),
        (["--listen", "127.0.0.1"], {}),
        (["--listen", "127.0.0.1:70000"], {}),
        (["--listen", "::1:4000"], {}),
        (["--listen", "[127.0.0.1]:4000"], {}),
        (["--max-sessions", "-1"], {}),
        (["--max-sess", "1"], {}),
        (["--log-level", "loud"], {}),
        (["--master-public-key", "ab"], {}),
        (["--master-auth-token", "line\nbreak"], {}),
        (["--version"], {}),
        ([], {"WAVRY_RELAY_ALLOW_INSECURE_DEV": "maybe"}),
        ([], {"WAVRY_RELAY_ASN": "many"}),
    ],
)
def test_what_is_not_understood_exits_2(
    arguments: list[str], environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As Wavry's own parser does; a refused key or token is not shown."""
    with pytest.raises(SystemExit) as refused:
        options(*arguments, **environment)
    assert refused.value.code == 2
    assert "line\nbreak" not in capsys.readouterr().err


def test_off_loopback_permission_must_be_given() -> None:
    """Either address counts; outside a container it takes two permissions."""
    permission = {"WAVRY_RELAY_ALLOW_PUBLIC_BIND": "1"}
    assert bind_refusal(options(*LOOPBACK), {}) is None
    for public in (options(), options(*LOOPBACK, "--health-listen", "0.0.0.0:1")):
        assert "ALLOW_PUBLIC_BIND" in (bind_refusal(public, CONTAINER) or "")
        assert bind_refusal(public, CONTAINER | permission) is None
        assert bind_refusal(public, permission | {"WAVRY_RELAY_ALLOW_HOST_PROD_BIND": "yes"}) is None


def test_an_address_of_version_six_is_written_in_brackets() -> None:
    """As Wavry writes it into its registration."""
    assert (str(HostPort("::", 4000)), HostPort("::", 1).is_wildcard) == ("[::]:4000", True)
    assert HostPort("127.9.9.9", 1).is_loopback and not HostPort("198.18.0.1", 1).is_loopback

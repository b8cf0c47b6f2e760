"""What the reference master takes from its command line, its environment and its state file (contract §2.1 to 2.3)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drills.reference.master import settings, state_file
from drills.reference.master.memory import Hold, Remembered
from drills.reference.master.settings import Settings, StartRefused
from drills.reference.master.states import State
from tests.reference.master_parts import KEY


def read(*arguments: str, in_container: bool = True, **environment: str) -> Settings:
    """The settings of a start."""
    return settings.read(arguments, environment, in_container=in_container)


def test_the_defaults_are_wavrys() -> None:
    """127.0.0.1:8080, info, no tokens, no state file."""
    told = read()
    assert (str(told.listen), told.log_level) == ("127.0.0.1:8080", "info")
    assert (told.relay_token, told.admin_token, told.state_file) == (None, None, None)


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:70000",
        "::1:8080",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "[127.0.0.1:1",
    ],
)
def test_what_is_no_address_and_port_is_refused(address: str) -> None:
    """Host names too."""
    with pytest.raises(StartRefused, match="invalid --listen address"):
        read("--listen", address)


def test_ipv6_is_listened_on_in_brackets() -> None:
    """And is written so."""
    assert str(read("--listen", "[::1]:9").listen) == "[::1]:9"


def test_a_flag_that_is_not_understood_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As clap does; --version does not exist."""
    with pytest.raises(SystemExit) as ended:
        read("--version")
    assert ended.value.code == 2
    assert "--version" in capsys.readouterr().err


def test_a_public_address_needs_permission_and_a_second_one_outside_a_container() -> None:
    """Each missing one is named."""
    public = ("--listen", "198.18.0.11:8080")
    with pytest.raises(StartRefused, match="ALLOW_PUBLIC_BIND"):
        read(*public)
    read(*public, WAVRY_MASTER_ALLOW_PUBLIC_BIND=" Yes ")
    with pytest.raises(StartRefused, match="ALLOW_HOST_PROD_BIND"):
        read(*public, in_container=False, WAVRY_MASTER_ALLOW_PUBLIC_BIND="1")
    read(*public, in_container=False, WAVRY_MASTER_ALLOW_PUBLIC_BIND="1", WAVRY_MASTER_ALLOW_HOST_PROD_BIND="on")
    with pytest.raises(StartRefused):
        read(*public, WAVRY_MASTER_ALLOW_PUBLIC_BIND="")


@pytest.mark.parametrize(
    ("environment", "none", "listed", "other"),
    [
        ({}, False, True, False),
        ({"WAVRY_MASTER_WS_REQUIRE_ORIGIN": "0"}, True, True, False),
        ({"WAVRY_MASTER_WS_REQUIRE_ORIGIN": ""}, True, True, False),
        ({"WAVRY_MASTER_WS_ALLOW_MISSING_ORIGIN": "1"}, True, True, False),
        ({"WAVRY_MASTER_CORS_ALLOW_ANY": "1"}, False, True, False),
        ({"WAVRY_MASTER_ALLOWED_ORIGINS": "http://else"}, False, False, True),
    ],
)
def test_the_origin_matrix(environment: dict[str, Any], none: bool, listed: bool, other: bool) -> None:
    """A present Origin must be listed even where none is required; CORS settings do not relax it (§2.10)."""
    origins = read(**environment).origins
    assert origins.may_open(None) is none
    assert origins.may_open(" HTTP://Localhost:1420/ ") is listed
    assert origins.may_open("http://else") is other


def test_a_star_among_the_origins_is_refused() -> None:
    """With a line instead of a panic."""
    with pytest.raises(StartRefused, match="CORS_ALLOW_ANY"):
        read(WAVRY_MASTER_ALLOWED_ORIGINS="http://a,*")


def test_tokens_are_read_as_the_contract_says_and_not_printed() -> None:
    """The relay token is trimmed, a blank one is off; an admin token under 32 bytes opens nothing."""
    told = read(WAVRY_MASTER_RELAY_AUTH_TOKEN=" secret ", ADMIN_PANEL_TOKEN="é" * 16)
    assert (told.relay_token, told.admin_token) == ("secret", "é" * 16)
    assert "secret" not in repr(told)
    short = read(WAVRY_MASTER_RELAY_AUTH_TOKEN="  ", ADMIN_PANEL_TOKEN="a" * 31)
    assert (short.relay_token, short.admin_token) == (None, None)


@pytest.mark.parametrize(
    ("rust_log", "flag", "level"),
    [("", "warn", "warn"), ("debug", "warn", "debug"), ("wavry_master=debug", "warn", "warn"), ("", "loud", "info")],
)
def test_rust_log_beats_the_flag_where_it_is_a_level(rust_log: str, flag: str, level: str) -> None:
    """Its filter language is not read."""
    assert read("--log-level", flag, RUST_LOG=rust_log).log_level == level


@pytest.mark.parametrize(
    ("text", "ttl_s"), [("", 900), ("300", 300), ("5", 60), ("9999", 3600), (" 300", 900), ("-1", 900)]
)
def test_the_lease_time_is_clamped(text: str, ttl_s: int) -> None:
    """60 to 3600 s; what is no number is 900."""
    assert settings.signer({"WAVRY_MASTER_LEASE_TTL_SECS": text}).lease_ttl.total_seconds() == ttl_s


def test_a_given_key_is_provisioned_and_a_random_one_is_not(tmp_path: Path) -> None:
    """From the variable or, trimmed, from the file; the variable wins."""
    path = tmp_path / "key"
    path.write_text(f" {KEY.hex}\n")
    for environment in ({"WAVRY_MASTER_SIGNING_KEY": KEY.hex}, {"WAVRY_MASTER_KEY_FILE": str(path)}):
        told = settings.signer(environment)
        assert (told.key, told.key_id, told.provisioned) == (KEY, "kea4a6c63e29c520a", True)
        assert KEY.hex[:64] not in repr(told)
    assert settings.signer({"WAVRY_MASTER_KEY_ID": "mine", "WAVRY_MASTER_SIGNING_KEY": KEY.hex}).key_id == "mine"
    assert not settings.signer({}).provisioned


@pytest.mark.parametrize("key", ["", KEY.hex + "\n", KEY.hex[:64], "0" * 128])
def test_a_bad_key_is_refused_and_not_quoted(key: str) -> None:
    """An empty variable counts as set; the message holds nothing of the key."""
    with pytest.raises(StartRefused, match="bad signing key") as refused:
        settings.signer({"WAVRY_MASTER_SIGNING_KEY": key})
    assert not key.strip() or key.strip() not in str(refused.value)
    with pytest.raises(StartRefused, match="key file"):
        settings.signer({"WAVRY_MASTER_KEY_FILE": "/nowhere"})


# --- the state file


WORD = Remembered({"a": Hold(State.DRAINING, ("10.0.0.1:4000",)), "b": Hold(State.BANNED, ())}, frozenset({"user_x"}))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Holds and revoked names come back; nothing else is left in the folder."""
    path = tmp_path / "state.json"
    assert state_file.load(path) == Remembered()
    state_file.save(path, Remembered())
    state_file.save(path, WORD)
    assert state_file.load(path) == WORD
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    """The new one is written beside it and renamed only when it is whole."""
    path = tmp_path / "state.json"
    state_file.save(path, WORD)
    (tmp_path / "state.json.new").mkdir()  # nothing can be written there
    with pytest.raises(OSError):
        state_file.save(path, Remembered())
    assert state_file.load(path) == WORD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"version":2,"relays":{},"revoked":[]}',
        '{"version":1,"relays":[],"revoked":[]}',
        '{"version":1,"relays":{"a":{"state":"Sleeping","endpoints":[]}},"revoked":[]}',
        '{"version":1,"relays":{"a":{"state":"Active","endpoints":[]}},"revoked":[]}',
        '{"version":1,"relays":{"a":{"state":"Banned","endpoints":"x"}},"revoked":[]}',
        '{"version":1,"relays":{},"revoked":[1]}',
        '{"version":1,"relays":{}}',
    ],
)
def test_a_state_file_that_is_not_understood_is_said_to_be_so(tmp_path: Path, text: str) -> None:
    """In one line that names the file."""
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(state_file.StateFileUnreadable, match=r"state\.json is not understood") as refused:
        state_file.load(path)
    assert "\n" not in str(refused.value)


def test_the_state_file_is_plain_json(tmp_path: Path) -> None:
    """An operator can read it."""
    path = tmp_path / "state.json"
    state_file.save(path, WORD)
    assert json.loads(path.read_text())["relays"]["a"] == {"state": "Draining", "endpoints": ["10.0.0.1:4000"]}

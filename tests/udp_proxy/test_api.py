"""Toxiproxy's API over our proxies: its JSON, its status codes, and what we refuse beyond it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from drills.udp_proxy.toxics.table import KINDS
from tests.udp_proxy.stand import HOST, Stand, standing

# what each toxic needs at least
LEAST: dict[str, dict[str, Any]] = {
    "latency": {}, "loss": {"probability": 0.1}, "bursty_loss": {"p": 0.1, "r": 0.5}, "duplicate": {"probability": 0.1},
    "reorder": {"probability": 0.1}, "corrupt": {"probability": 0.1}, "bandwidth": {"rate": 100}, "blackhole": {},
    "rebind": {}, "mtu": {"mtu": 1280},
}  # fmt: skip


@pytest.fixture
def stand() -> Iterator[Stand]:
    """One proxy, ``path``."""
    with standing(seed=4) as made:
        yield made


def refused(stand: Stand, method: str, path: str, body: Any) -> tuple[int, str]:
    """Status and text of an error, which must have Toxiproxy's shape."""
    answer = stand.ask(method, path, body)
    error = json.loads(answer.body)
    assert error["status"] == answer.status >= 400
    return answer.status, error["error"]


def test_the_version_says_which_program_and_seed(stand: Stand) -> None:
    """A receipt can be read back."""
    assert stand.say("GET", "/version") == {"version": "0.1.0", "program": "udp_proxy", "seed": 4}


def test_a_proxy_is_created_shown_changed_and_deleted(stand: Stand) -> None:
    """With a port of the kernel's choice where 0 was asked for."""
    made = stand.say("POST", "/proxies", {"name": "way", "listen": f"{HOST}:0", "upstream": f"{HOST}:9"})
    assert made["listen"] != f"{HOST}:0"
    assert {key: made[key] for key in ("name", "upstream", "enabled", "toxics")} == {
        "name": "way", "upstream": f"{HOST}:9", "enabled": True, "toxics": [],
    }  # fmt: skip
    assert [*stand.say("GET", "/proxies")] == ["path", "way"]
    assert stand.say("PATCH", "/proxies/way", {"enabled": False})["enabled"] is False
    moved = stand.say("POST", "/proxies/way", {"upstream": f"{HOST}:10", "enabled": True})
    assert (moved["upstream"], moved["listen"], moved["enabled"]) == (f"{HOST}:10", made["listen"], True)
    stand.say("DELETE", "/proxies/way")
    assert stand.ask("GET", "/proxies/way").status == 404


def test_an_address_that_is_taken_is_a_500_that_says_so(stand: Stand) -> None:
    """As Toxiproxy has it; the proxy is not made."""
    taken = stand.name(stand.upstream)
    asked = {"name": "way", "listen": taken, "upstream": f"{HOST}:9"}
    assert refused(stand, "POST", "/proxies", asked) == (500, f"listen udp {taken}: Address already in use")
    assert [*stand.say("GET", "/proxies")] == ["path"]


@pytest.mark.parametrize("kind", [*KINDS])
def test_every_toxic_can_be_put_on_shown_edited_and_taken_off(stand: Stand, kind: str) -> None:
    """Named after itself, with every attribute shown."""
    stream = "upstream"
    made = stand.say("POST", "/proxies/path/toxics", {"type": kind, "stream": stream, "attributes": LEAST[kind]})
    assert (made["name"], made["type"], made["stream"], made["toxicity"]) == (f"{kind}_{stream}", kind, stream, 1.0)
    assert made["attributes"].items() >= LEAST[kind].items()
    where = f"/proxies/path/toxics/{kind}_{stream}"
    assert stand.say("GET", where) == made
    assert stand.say("GET", "/proxies/path/toxics") == [made]
    assert stand.say("POST", where, {"toxicity": 0.5}) == {**made, "toxicity": 0.5}
    assert stand.say("POST", where, {"attributes": made["attributes"]}) == {**made, "toxicity": 0.5}
    stand.say("DELETE", where)
    assert stand.say("GET", "/proxies/path/toxics") == []


def test_an_edit_changes_what_it_names_and_nothing_else(stand: Stand) -> None:
    """Other attributes stay, and so does its place among the toxics."""
    stand.toxic("latency", latency=5, jitter=1)
    stand.toxic("loss", probability=0.5)
    edited = stand.say("POST", "/proxies/path/toxics/latency_upstream", {"attributes": {"latency": 7}})
    assert edited["attributes"] == {"latency": 7, "jitter": 1, "distribution": "uniform", "order": "kept"}
    assert [toxic["type"] for toxic in stand.say("GET", "/proxies/path/toxics")] == ["latency", "loss"]


def test_toxics_are_downstream_where_nothing_is_said_and_listed_upstream_first(stand: Stand) -> None:
    """As Toxiproxy does."""
    stand.say("POST", "/proxies/path/toxics", {"type": "blackhole"})
    stand.toxic("blackhole")
    names = [toxic["name"] for toxic in stand.say("GET", "/proxies/path/toxics")]
    assert names == ["blackhole_upstream", "blackhole_downstream"]


def test_reset_takes_all_toxics_off_and_switches_everything_on(stand: Stand) -> None:
    """On every proxy."""
    stand.toxic("blackhole")
    stand.say("POST", "/proxies/path", {"enabled": False})
    assert stand.ask("POST", "/reset").status == 204
    shown = stand.say("GET", "/proxies/path")
    assert (shown["enabled"], shown["toxics"]) == (True, [])
    stand.passes(b"open")


def test_populate_makes_what_is_missing_and_leaves_what_is_there(stand: Stand) -> None:
    """And replaces what has other addresses."""
    stand.passes(b"a flow")
    here = {key: stand.say("GET", "/proxies/path")[key] for key in ("name", "listen", "upstream")}
    more = {"name": "way", "listen": f"{HOST}:0", "upstream": f"{HOST}:9", "enabled": False}
    both = stand.say("POST", "/populate", [here, more])["proxies"]
    assert [(one["name"], one["enabled"], one["counts"]["flows"]) for one in both] == [("path", True, 1),
                                                                                         ("way", False, 0)]  # fmt: skip
    (other,) = stand.say("POST", "/populate", [{**here, "upstream": f"{HOST}:9"}])["proxies"]
    assert other["counts"]["flows"] == 0


def test_populate_says_which_proxy_is_wrong_before_it_makes_any(stand: Stand) -> None:
    """With what was made, which is nothing."""
    answer = stand.ask("POST", "/populate", [{"name": "way", "upstream": f"{HOST}:9"}, {"name": "second"}])
    assert json.loads(answer.body) == {"error": "missing required field: upstream at proxy 2", "status": 400,
                                       "proxies": None}  # fmt: skip
    assert [*stand.say("GET", "/proxies")] == ["path"]


TOXIC = "/proxies/path/toxics"


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/proxies", [], 400, "bad request body: found [], expected an object"),
        ("/proxies", {"upstream": "127.0.0.1:9"}, 400, "missing required field: name"),
        ("/proxies", {"name": "way"}, 400, "missing required field: upstream"),
        ("/proxies", {"name": "path", "upstream": "127.0.0.1:9"}, 409, "proxy already exists"),
        ("/proxies", {"name": "a/b", "upstream": "127.0.0.1:9"}, 400, "name: found 'a/b', expected text of at most"),
        ("/proxies", {"name": "way", "upstream": "relay:9"}, 400, "upstream: found 'relay:9', expected a numeric"),
        ("/proxies", {"name": "way", "upstream": "127.0.0.1:0"}, 400, "upstream: found '127.0.0.1:0', expected"),
        ("/proxies", {"name": "way", "upstream": "127.0.0.1:9", "up": 1}, 400, "'up': unknown, expected name, listen,"),
        ("/proxies", {"name": "way", "upstream": "127.0.0.1:9", "enabled": 1}, 400, "enabled: found 1, expected true"),
        ("/proxies/path", {"name": "way"}, 400, "name: found 'way', expected path: it cannot be changed"),
        ("/proxies/nowhere", {}, 404, "proxy not found"),
        ("/proxies/nowhere/toxics", {"type": "loss"}, 404, "proxy not found"),
        (f"{TOXIC}/nothing", {}, 404, "toxic not found"),
        (TOXIC, {"type": "los"}, 400, "invalid toxic type, expected one of latency, loss,"),
        (TOXIC, {"type": "loss", "stream": "both"}, 400, "stream was invalid, can be either upstream or downstream"),
        (TOXIC, {"type": "loss"}, 400, "attributes.probability: missing, expected a number from 0 to 1"),
        (TOXIC, {"type": "rebind"}, 400, "stream: found downstream, expected upstream for rebind"),
        (TOXIC, {"type": "blackhole", "toxicity": 1.5}, 400, "toxicity: found 1.5, expected a number from 0 to 1"),
        (TOXIC, {"type": "blackhole", "attributes": {"x": 1}}, 400, "attributes.x: unknown, expected none"),
        (TOXIC, {"type": "blackhole", "attributes": []}, 400, "attributes: found [], expected an object"),
        (TOXIC, {"type": "latency", "attributes": {"latencyy": 5}}, 400, "attributes.latencyy: unknown, expected late"),
        (TOXIC, {"type": "latency", "attributes": {"latency": "5"}}, 400, "attributes.latency: found '5', expected a"),
        (TOXIC, {"type": "latency", "attributes": {"latency": True}}, 400, "attributes.latency: found True, expected"),
        (TOXIC, {"type": "latency", "attributes": {"latency": 10**400}}, 400, "expected a number from 0 to 60000"),
        (TOXIC, {"type": "latency", "attributes": {"distribution": "gauss"}}, 400, "expected one of uniform, normal,"),
        (TOXIC, {"type": "mtu", "attributes": {"mtu": 1280.0}}, 400, "expected a whole number from 28 to 65535"),
        (TOXIC, {"type": "bursty_loss", "attributes": {"p": 1, "r": 1}}, 400, "expected at most 1.999"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_one_clear_error(
    stand: Stand, path: str, body: Any, status: int, text: str
) -> None:
    """Toxiproxy's status and words where it has them; unknown attributes, which it drops in silence, too."""
    seen_status, seen = refused(stand, "POST", path, body)
    assert (seen_status, text in seen) == (status, True), seen
    assert stand.say("GET", "/proxies/path")["toxics"] == []


def test_several_problems_are_told_at_once(stand: Stand) -> None:
    """Each with what was found and what was expected."""
    _, text = refused(stand, "POST", TOXIC, {"type": "loss", "attributes": {"probability": 2, "burst": 1}})
    assert text == ("bad request body: attributes.burst: unknown, expected probability; "
                    "attributes.probability: found 2, expected a number from 0 to 1")  # fmt: skip


def test_a_toxics_name_is_taken_once(stand: Stand) -> None:
    """409, as Toxiproxy says it."""
    stand.toxic("blackhole")
    assert refused(stand, "POST", TOXIC, {"type": "blackhole", "stream": "upstream"}) == (409, "toxic already exists")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name":NaN}', b'{"name":"a","name":"b"}', b"[" * 100_000])
def test_what_is_no_json_is_a_bad_body(stand: Stand, body: bytes) -> None:
    """Also names that stand twice, and nesting that is meant to hurt."""
    answer = stand.api.answer("POST", ["proxies"], body)
    assert (answer.status, "bad request body: not JSON" in answer.body) == (400, True)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/proxies/", 404),
                                                        ("PUT", "/proxies", 405), ("GET", "/reset", 405)])  # fmt: skip
def test_unknown_ways_and_verbs(stand: Stand, method: str, path: str, status: int) -> None:
    """As Toxiproxy's router has it."""
    assert stand.ask(method, path).status == status


def test_browsers_are_refused(stand: Stand) -> None:
    """A page that someone has open must not reach the API; Toxiproxy has the same guard."""
    assert stand.api.answer("GET", ["version"], b"", "Mozilla/5.0").status == 403


def test_metrics_show_traffic_and_own_losses(stand: Stand) -> None:
    """In Prometheus' format, a line for each proxy and direction."""
    stand.passes(b"12345")
    lines = stand.ask("GET", "/metrics").body.splitlines()
    labels = f'direction="upstream",listener="{stand.proxy.listen}",proxy="path",upstream="{stand.proxy.upstream}"'
    assert f"toxiproxy_proxy_sent_bytes_total{{{labels}}} 5" in lines
    assert 'udp_proxy_own_losses_total{proxy="path",where="receive_buffers"} 0' in lines

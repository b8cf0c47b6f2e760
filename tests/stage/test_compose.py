"""The compose subset: what the process stage understands, and that it refuses the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.errors import BadInput
from drills.stage.compose import Compose, interpolate, load_compose

GOOD = """
name: ${DRILLS_PROJECT:-drills}
services:
  master:
    command: [--listen, "${DRILLS_ADDRESS_MASTER:-198.18.0.11}:8080"]
    environment: &shared {NO_COLOR: "1"}
    volumes: ["master-data:${DRILLS_DATA_MASTER:-/var/lib/wavry-master}", "${DRILLS_PROGRAMS:-programs}:/opt/bin:ro"]
    labels: {wavry-drills.kind: master}
  relay_a:
    image: ${DRILLS_RELAY_IMAGE:-reference}
    command: [--master-url, "http://${DRILLS_ADDRESS_TOXIPROXY:-198.18.0.5}:8081"]
    environment: *shared
    labels: {wavry-drills.kind: relay}
  relay_b:
    command: [--master-url, "http://${DRILLS_ADDRESS_TOXIPROXY:-198.18.0.5}:80812"]
    labels: {wavry-drills.kind: relay}
  toxiproxy:
    labels: {wavry-drills.kind: toxiproxy}
  locust_master:
    command: [python3, -m, drills.load.master, "${DRILLS_ADDRESS_TOXIPROXY:-198.18.0.5}:8081"]
    volumes: ["${DRILLS_RUN_FOLDER:-records}:${DRILLS_RUN_FOLDER:-/var/lib/drills}"]
    labels: {wavry-drills.kind: locust_master}
x-proxies:
  relay_a_to_master:
    listen: ${DRILLS_ADDRESS_TOXIPROXY:-198.18.0.5}:8081
    upstream: ${DRILLS_ADDRESS_MASTER:-198.18.0.11}:8080
"""


def written(tmp_path: Path, text: str) -> Path:
    """A compose file with this text."""
    path = tmp_path / "compose.yml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(tmp_path: Path, text: str = GOOD) -> Compose:
    """What a text is understood as."""
    return load_compose(written(tmp_path, text))


def test_services_and_proxies_are_what_the_file_says(tmp_path: Path) -> None:
    """Kinds come from labels, data paths from the volumes that are written to; a command is what follows a program."""
    compose = loaded(tmp_path)
    assert {name: plan.kind for name, plan in compose.services.items()} == {
        "master": "master", "relay_a": "relay", "relay_b": "relay", "toxiproxy": "toxiproxy",
        "locust_master": "locust_master",
    }  # fmt: skip
    assert compose.services["master"].data_paths == ("${DRILLS_DATA_MASTER:-/var/lib/wavry-master}",)
    assert compose.services["locust_master"].data_paths == ("${DRILLS_RUN_FOLDER:-/var/lib/drills}",)
    assert compose.services["relay_a"].environment == {"NO_COLOR": "1"}
    assert compose.services["relay_b"].command == (
        "--master-url",
        "http://${DRILLS_ADDRESS_TOXIPROXY:-198.18.0.5}:80812",
    )
    assert compose.services["toxiproxy"].command == ()


def test_services_are_found_by_kind_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Of several kinds too, and of one that nobody is."""
    compose = loaded(tmp_path)
    assert compose.of_kind("relay") == ("relay_a", "relay_b")
    assert compose.of_kind("toxiproxy", "master") == ("master", "toxiproxy")
    assert compose.of_kind("gateway") == ()


def test_a_proxy_joins_who_dials_it_and_who_is_behind_it(tmp_path: Path) -> None:
    """By service and whole port: 80812 is not 8081; Toxiproxy and the load are always there and not named."""
    assert loaded(tmp_path).joined_by("relay_a_to_master") == ("master", "relay_a")


def test_the_shipped_file_is_understood() -> None:
    """Every proxy of the shipped file has somebody behind it, and both relays reach the master through one."""
    compose = Catalogue().compose
    joined = {name: compose.joined_by(name) for name in compose.proxies}
    assert joined["ends_to_gateway"] == ("gateway",)
    assert joined["ends_to_master"] == ("master",)
    assert joined["relay_a_to_master"] == ("master", "relay_a")
    assert joined["relay_b_to_master"] == ("master", "relay_b")


@pytest.mark.parametrize(
    ("variables", "text"),
    [({}, "http://default:80"), ({"NAME": ""}, "http://default:80"), ({"NAME": "x"}, "http://x:80"),
     ({"OTHER": "x"}, "http://default:80"), ({"NAME": "${NAME:-y}"}, "http://${NAME:-y}:80")],
)  # fmt: skip
def test_interpolation_is_composes_own(variables: dict[str, str], text: str) -> None:
    """An empty value counts as unset, and what is put in is not looked at again."""
    assert interpolate("http://${NAME:-default}:80", variables) == text


@pytest.mark.parametrize(
    ("old", "new", "fragment"),
    [
        ("name: $", "version: '3'\nname: $", "version: found '3', expected no such key here; the keys are configs, na"),
        ("wavry-master}", "wavry-master}:rw", "services.master.volumes[0]: found 'master-data:${DRILLS_DATA_MASTER"),
        ("wavry-master}", "wavry-master}:rw", "expected a named volume as name:/path, or anything read-only"),
        ("master-data:$", "./data:$", "expected a named volume as name:/path, or anything read-only"),
        ("master-data:$", "/data:$", "expected a named volume as name:/path, or anything read-only"),
        ("/opt/bin:ro", "opt/bin:ro", "services.master.volumes[1]: found '${DRILLS_PROGRAMS:-programs}:opt/bin"),
        ("    image:", "    build: .\n    image:", "services.relay_a.build: found '.', expected no such key here"),
        ("    image:", "    ports: ['80:80']\n    image:", "services.relay_a.ports: found ['80:80'], expected no such"),
        ("  toxiproxy:\n", "  toxiproxy:\n    command: -port 8474\n",
         "services.toxiproxy.command: found '-port 8474', expected a list of words"),
        ("  toxiproxy:\n", "  toxiproxy:\n    command: []\n",
         "services.toxiproxy.command: found [], expected a list of words"),
        ("  toxiproxy:\n", "  toxiproxy:\n    command: [-port, 8474]\n",
         "services.toxiproxy.command: found ['-port', 8474], expected a list of words"),
        ("  toxiproxy:\n    labels: {wavry-drills.kind: toxiproxy}", "  toxiproxy:\n    image: x",
         "services.toxiproxy.labels: found nothing, expected wavry-drills.kind as one of gateway, master, relay, "),
        ("{wavry-drills.kind: toxiproxy}", "{wavry-drills.kind: haproxy}",
         "services.toxiproxy.labels: found 'haproxy', expected wavry-drills.kind as one of gateway, master, relay, "),
        ("{wavry-drills.kind: toxiproxy}", "{wavry-drills.kind: [relay]}",
         "services.toxiproxy.labels: found ['relay'], expected wavry-drills.kind as one of gateway"),
        ("{wavry-drills.kind: toxiproxy}", "[wavry-drills.kind=toxiproxy]",
         "services.toxiproxy.labels: found ['wavry-drills.kind=toxiproxy'], expected wavry-drills.kind as one of"),
        ('{NO_COLOR: "1"}', "{NO_COLOR: 1}", "services.master.environment.NO_COLOR: found 1, expected text (in quotes"),
        ('{NO_COLOR: "1"}', "[NO_COLOR=1]", "services.master.environment: found ['NO_COLOR=1'], expected a mapping of"),
        ("master-data:$", "$", "services.master.volumes[0]: found '${DRILLS_DATA_MASTER:-/var/lib/wavry-master}', ex"),
        ("${DRILLS_RELAY_IMAGE:-reference}", "${DRILLS_RELAY_IMAGE}", "services.relay_a.image: found '${DRILLS_RELAY"),
        ("${DRILLS_RELAY_IMAGE:-reference}", "$IMAGE", "found '$IMAGE', expected variables only as ${NAME:-default}"),
        ("${DRILLS_RELAY_IMAGE:-reference}", "${A:-${B:-c}}", "expected variables only as ${NAME:-default}"),
        ("${DRILLS_RELAY_IMAGE:-reference}", "${A:?must be set}", "expected variables only as ${NAME:-default}"),
        ("  relay_b:", "  ../relay:", "services.'../relay': found '../relay', expected a name of lower-case letters"),
        ("  relay_b:", "  relay_a:", "found the key 'relay_a' again (first in line 9), expected each key once"),
        ("upstream: ${DRILLS_ADDRESS_MASTER:-198.18.0.11}:8080", "upstream: 198.18.0.11:8080",
         "x-proxies.relay_a_to_master.upstream: found '198.18.0.11:8080', expected ${DRILLS_ADDRESS_<SERVICE>:"),
        ("upstream: ${DRILLS_ADDRESS_MASTER", "upstream: ${DRILLS_ADDRESS_NOBODY", "with a service of this file"),
        ("    upstream: ${DRILLS_ADDRESS_MASTER:-198.18.0.11}:8080\n", "", "expected listen and upstream"),
        ("services:", "service:", "services: found nothing, expected a mapping of services"),
        ("  toxiproxy:\n    labels: {wavry-drills.kind: toxiproxy}", "  toxiproxy: x",
          "services.toxiproxy: found 'x', expected"),
        ("x-proxies:", "x-proxies: []\nx-others:", "x-proxies: found [], expected a mapping of proxies"),
    ],
)  # fmt: skip
def test_what_is_outside_the_subset_is_refused(tmp_path: Path, old: str, new: str, fragment: str) -> None:
    """The two stages cannot drift apart unseen: what one would act on and the other would not is bad input."""
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(BadInput) as refused:
        load_compose(path)
    assert any(fragment in line for line in refused.value.problems), refused.value.problems
    assert all(line.startswith(f"{path}:") and ", expected " in line for line in refused.value.problems)


def test_two_proxies_on_one_address_are_refused(tmp_path: Path) -> None:
    """Toxiproxy would refuse the second when the stage is half raised."""
    twice = GOOD + "  again:" + GOOD.split("  relay_a_to_master:")[1]
    with pytest.raises(BadInput, match="expected an address that relay_a_to_master does not listen on"):
        loaded(tmp_path, twice)

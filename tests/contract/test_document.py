"""The contract is read from one place, as it is."""

from pathlib import Path

import pytest

from mjgate.contract.document import load_document
from mjgate.errors import ConfigError
from tests.contract.document import CONTRACT, DOCUMENT


def test_the_contract_of_this_checkout_is_loaded_as_it_is() -> None:
    document = load_document()
    assert (CONTRACT.read_bytes(), DOCUMENT) == (document.source, document.spec)


def test_braces_in_a_text_are_no_template(tmp_path: Path) -> None:
    place = tmp_path / "contract.yaml"
    place.write_text('info: "{{ 1 + 1 }} {% nothing %}"', "utf-8")
    assert {"info": "{{ 1 + 1 }} {% nothing %}"} == load_document(place).spec


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "is no YAML object"), ("", "is no YAML object"), ("a: [", "cannot be read")],
)
def test_what_is_no_contract_is_refused(tmp_path: Path, text: str, message: str) -> None:
    place = tmp_path / "contract.yaml"
    place.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message):
        load_document(place)


def test_a_contract_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        load_document(tmp_path / "nowhere.yaml")

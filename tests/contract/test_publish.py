"""The contract as it is published: byte for byte, cacheable, readable without a network."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mjgate.contract.document import Document
from mjgate.contract.publish import contract_pages, reference_files
from tests.contract.conftest import Enforced
from tests.contract.document import CONTRACT, DOCUMENT

PAGES = sorted(contract_pages(Document(CONTRACT.read_bytes(), DOCUMENT)))
ADDRESS = re.compile(rb"""(?:src|href|url|import|fetch)\s*[=(:]\s*["']?\s*(?:https?:)?//""")


async def test_the_yaml_is_the_file_byte_for_byte(enforced: Enforced) -> None:
    reply = await enforced.send("GET", "/openapi.yaml", headers={"mj-api-secret": ""})
    assert (200, "application/yaml") == (reply.status, reply.headers["Content-Type"])
    assert CONTRACT.read_bytes() == reply.body


async def test_the_json_says_what_the_yaml_says(enforced: Enforced) -> None:
    reply = await enforced.send("GET", "/openapi.json", headers={"mj-api-secret": ""})
    assert (200, "application/json") == (reply.status, reply.headers["Content-Type"])
    assert yaml.safe_load(CONTRACT.read_bytes()) == reply.json


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_that_is_known_is_not_sent_again(enforced: Enforced, path: str) -> None:
    first = await enforced.send("GET", path)
    etag = first.headers["ETag"]
    assert (200, "no-cache") == (first.status, first.headers["Cache-Control"])
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await enforced.send("GET", path, headers={"If-None-Match": known})
        assert (304, b"", etag) == (again.status, again.body, again.headers["ETag"])
    other = await enforced.send("GET", path, headers={"If-None-Match": '"other"'})
    assert (200, first.body) == (other.status, other.body)


@pytest.mark.parametrize("path", PAGES)
async def test_the_head_of_a_page_is_that_of_the_page(enforced: Enforced, path: str) -> None:
    whole = await enforced.send("GET", path, headers={"X-Request-Id": "x"})
    head = await enforced.send("HEAD", path, headers={"X-Request-Id": "x"})
    assert (200, b"") == (head.status, head.body)
    assert dict(whole.headers, Date="") == dict(head.headers, Date="")


async def test_two_pages_differ_in_their_tags(enforced: Enforced) -> None:
    tags = {(await enforced.send("GET", path)).headers["ETag"] for path in PAGES}
    assert len(PAGES) - 1 == len(tags), "/docs and /docs/ are one page"


async def test_the_reference_needs_nothing_from_elsewhere(enforced: Enforced) -> None:
    page = await enforced.send("GET", "/docs")
    assert "text/html; charset=utf-8" == page.headers["Content-Type"]
    assert b"//" not in page.body
    asked = re.findall(rb'(?:src|href)="([^"]+)"', page.body) + re.findall(
        rb'url: "([^"]+)"', page.body
    )
    assert 4 == len(asked)
    for path in asked:
        assert 200 == (await enforced.send("GET", path.decode())).status
    style = await enforced.send("GET", "/docs/swagger-ui.css")
    assert ("text/css", None) == (style.headers["Content-Type"], ADDRESS.search(style.body))


def test_a_title_is_text_and_no_markup() -> None:
    spec: Any = {"info": {"title": "<script>x</script>"}}
    pages = contract_pages(Document(b"", spec))
    assert b"<title>&lt;script&gt;" in pages["/docs"].body  # type: ignore[attr-defined]


def test_the_reference_can_be_read_from_a_folder() -> None:
    files = dict(reference_files(Document(CONTRACT.read_bytes(), DOCUMENT)))
    page = files.pop("index.html").decode()
    before, after = page.split("spec: ", 1)
    spec, rest = json.JSONDecoder().raw_decode(after)
    assert DOCUMENT == spec
    assert {*re.findall(r'(?:src|href)="([^"]+)"', before)} == files.keys()
    assert "url" not in before + after[rest:]
    assert "//" not in before + after[rest:]


def test_the_contract_in_a_page_ends_no_script() -> None:
    spec: Any = {"info": {"title": "A"}, "x": "</script><!-- &\u2028"}
    page = reference_files(Document(b"", spec))["index.html"].decode()
    text = page.split("spec: ", 1)[1]
    assert not {"<", ">", "&", "\u2028"} & set(text.split(", dom_id")[0])
    assert spec == json.JSONDecoder().raw_decode(text)[0]


def test_the_installed_contract_is_the_one_of_the_checkout() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert '"openapi/mjgate.yaml" = "mjgate/contract/mjgate.yaml"' in project

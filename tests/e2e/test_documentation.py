# SPDX-License-Identifier: Apache-2.0
"""What the server says about itself: start-up card, /docs, /openapi.json. Lines to paste are pasted."""

import json
import re
import subprocess
from html.parser import HTMLParser

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from harness import paths
from harness.wait import wait_until


def _lines_to_paste(server, count: int) -> list[str]:
    def complete() -> list[str] | None:
        lines = [line for line in server.card().splitlines() if "curl -s" in line]
        return lines if len(lines) == count else None

    return wait_until(complete, f"{count} lines to paste in the card:\n{server.card()}")


def _check_lines(server, count: int, environment: dict[str, str]) -> None:
    """Runs the lines as a user would."""
    trusted = {"CURL_CA_BUNDLE": str(server.certificate)} if server.certificate else {}
    for line in _lines_to_paste(server, count):
        done = subprocess.run(["bash", "-c", line], env=environment | trusted, capture_output=True, timeout=60)
        assert done.returncode == 0 and b'"model_name"' in done.stdout, f"{line}\n{done.stdout}\n{done.stderr}"


def test_every_line_of_the_card_works_when_pasted(examples, reader_environment):
    _check_lines(examples, 15, reader_environment)


def test_every_line_of_the_card_works_for_every_data_type(models, reader_environment):
    ready = {name for (name, _), row in models.index().items() if row["state"] == "READY"}
    _check_lines(models, len(ready), reader_environment)


def test_every_line_of_the_card_works_under_tls(examples_tls, reader_environment):
    _check_lines(examples_tls, 15, reader_environment)


def test_the_card_shows_models_versions_signatures_and_urls(examples):
    card = examples.card()
    for text in ["15 models ready", "iris", "2 *", "onnxruntime", "measurements FP32[-1,4]",
        "-> label INT64[-1]", "ready",
                 f"{examples.url}/v2", f"{examples.url}/metrics", f"{examples.url}/docs", "Try it:"]:  # fmt: skip
        assert text in card, f"{text!r} is not in\n{card}"
    assert "\x1b" not in card, "no colours in a file"


def test_the_card_says_why_something_is_not_served(start_server, tmp_path):
    folder = tmp_path / "models"
    paths.put_model(folder, "good.onnx", paths.TEST_MODELS / "scalar.onnx")
    paths.put_model(folder, "cut/1/model.onnx", paths.BROKEN_MODELS / "truncated.onnx")
    (folder / "notes.txt").write_text("not a model")
    card = start_server(folder).card()
    assert "unavailable" in card and "1 model ready, 1 not" in card
    assert re.search(r"ignored .*notes\.txt: \S", card)


class _Links(HTMLParser):
    """Everything a browser would fetch or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.followed: list[str] = []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        values = dict(attributes)
        for name in ("src", "srcset", "poster", "data", "action", "formaction"):
            if values.get(name):
                self.fetched.append(values[name])
        if values.get("href"):
            (self.fetched if tag == "link" else self.followed).append(values["href"])


@pytest.fixture(scope="module")
def page(examples):
    reply = examples.curl.get("/docs")
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/html")
    return reply


def test_the_page_lists_every_model_with_its_signature(page):
    for text in ["iris", "wine_bands", "digits", "measurements", "FP32", "probabilities", "/v2/models/iris"]:
        assert text in page.text


def test_the_page_fetches_nothing_from_elsewhere(examples, page):
    links = _Links()
    links.feed(page.text)
    assert links.fetched, "the page has a style sheet"
    for target in links.fetched:
        assert target.startswith(("/", "data:")) and not target.startswith("//"), target
        if target.startswith("/"):
            part = examples.curl.get(target)
            assert part.status == 200
            assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import|fetch\(\s*['\"](https?:)?//", part.text), target
    for target in links.followed:
        assert target.startswith(("/", "#")), target
        if target.startswith("/"):
            assert examples.curl.get(target.partition("#")[0]).status == 200, target
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_host_that_is_no_host_never_reaches_the_page(examples):
    reply = examples.curl.get("/docs", "-H", 'Host: a"><script>alert(1)</script>')
    assert (reply.status, reply.headers["content-type"]) == (400, "application/json")


def test_the_page_escapes_names_of_models(start_server, tmp_path):
    folder = tmp_path / "models"
    paths.put_model(folder, "<b>bold & 'quoted'/model.onnx", paths.TEST_MODELS / "scalar.onnx")
    server = start_server(folder)
    assert "<b>bold" not in server.curl.get("/docs").text
    json.loads(server.curl.get("/openapi.json").text)


def test_the_openapi_document_is_valid_and_names_every_model(examples):
    document = examples.curl.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    assert document["servers"][0]["url"] == examples.url
    text = json.dumps(document["paths"])
    for name in ["iris", "wine", "wine_bands", "diabetes", "diabetes_risk", "digits"]:
        assert f"/v2/models/{name}/infer" in text


def test_the_openapi_document_is_valid_for_every_data_type(models):
    OpenAPIV31SpecValidator(models.curl.get("/openapi.json").json()).validate()


def test_examples_of_the_openapi_document_are_answered(examples):
    for path, item in examples.curl.get("/openapi.json").json()["paths"].items():
        content = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if path.endswith("/infer") and "{" not in path and "example" in content:
            reply = examples.curl.post_json(path, content["example"])
            assert reply.status == 200, (path, reply)

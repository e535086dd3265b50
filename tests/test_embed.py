"""What `peerpool embed` prints. That browsers take it is e2e/test_strict_pages.py's and e2e/test_install.py's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from peerpool import bundle, cli
from peerpool.bundle import BundledFile
from peerpool.core.errors import ConfigError, TrackerCheckError
from peerpool.embed import FORMS, Embedding, check_tracker, import_map, npm_module, script_tag, worker_script
from peerpool.options_doc import read_options

from tests.servers import ROOT

# As the documents write a build of which nobody is to copy the hashes.
MANIFEST = {
    "peerpool.js": BundledFile("peerpool.js", 1, 1, "0123abcd", "sha384-..."),
    "peerpool.esm.js": BundledFile("peerpool.esm.js", 1, 1, "4567cdef", "sha384-..."),
}
TRACKER = "https://tracker.example"


def scripts(html: str) -> list[tuple[dict[str, str | None], str]]:
    """Return attributes and text of each script element; there is no other."""
    found: list[tuple[dict[str, str | None], str]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag == "script"
            found.append((dict(attrs), ""))

        def handle_data(self, data: str) -> None:
            if found:
                found[-1] = (found[-1][0], found[-1][1] + data)

    Parser().feed(html)
    return found


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a language in a document of the repository."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_tag_is_one_line_with_the_hashed_name_and_its_integrity() -> None:
    tag = script_tag(MANIFEST, Embedding(f"{TRACKER}/"))
    ((attributes, _),) = scripts(tag)
    assert attributes == {
        "src": "https://tracker.example/peerpool.0123abcd.js",
        "integrity": "sha384-...",
        "crossorigin": "anonymous",
    }
    assert "\n" not in tag.partition("-->\n")[2]


def test_what_the_page_says_is_on_the_tag_as_the_library_reads_it() -> None:
    page = Embedding(
        "http://[::1]:8080", "news", 'a"b', "t.o.k", "/peerpool-sw.js", asks_consent=True, intercepts=False
    )
    ((attributes, _),) = scripts(script_tag(MANIFEST, page))
    assert attributes["src"] == "http://[::1]:8080/peerpool.0123abcd.js"
    said = {name.removeprefix("data-"): value for name, value in attributes.items() if name.startswith("data-")}
    assert said == {
        "content": 'a"b',
        "consent": "required",
        "site": "news",
        "token": "t.o.k",
        "worker": "/peerpool-sw.js",
        "intercept": "off",
    }
    assert set(said) == {option.name for option in read_options(ROOT) if option.on_tag} - {"tracker"}


def test_the_import_map_names_the_module_and_its_integrity() -> None:
    (mapped, text), (module, code) = scripts(import_map(MANIFEST, Embedding(TRACKER, content="</script>")))
    url = f"{TRACKER}/peerpool.esm.4567cdef.js"
    assert mapped["type"] == "importmap"
    assert json.loads(text) == {"imports": {"media-peerpool": url}, "integrity": {url: "sha384-..."}}
    assert module["type"] == "module"
    assert '"content": "\\u003c/script>"' in code
    assert "PeerPool.intercept()" in code


def test_without_interception_the_module_leaves_it_out() -> None:
    assert "intercept" not in npm_module(MANIFEST, Embedding(TRACKER, intercepts=False))


@pytest.mark.parametrize(
    "tracker",
    ["tracker.example", "ftp://a", "https://", "https://a/b", "https://u:p@a", "https://a?b", "https://a:x", "https://[",
     'https://a"b', "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_tracker_is_refused(tracker: str) -> None:
    with pytest.raises(ConfigError, match="--tracker"):
        Embedding(tracker)


@pytest.mark.parametrize("site", ["a b", 'a"', "<a>", "s" * 65, "a\n"])
def test_what_is_no_site_is_refused(site: str) -> None:
    with pytest.raises(ConfigError, match="--site"):
        Embedding(TRACKER, site)


@pytest.mark.parametrize("worker", ["sw.js", "https://a/sw.js", "//a/sw.js", "/sw", "/a b.js", "/a.js?b"])
def test_what_is_no_file_of_the_site_is_refused(worker: str) -> None:
    with pytest.raises(ConfigError, match="--worker"):
        Embedding(TRACKER, worker=worker)


def test_a_token_that_no_tracker_would_take_is_refused() -> None:
    with pytest.raises(ConfigError, match="--token"):
        Embedding(TRACKER, token="t" * 2049)


@pytest.fixture
def other_tracker() -> Iterator[tuple[str, dict[str, tuple[bytes, str]]]]:
    """Serve what is no tracker of ours, or stands before one: bytes and an Access-Control-Allow-Origin by path."""
    files: dict[str, tuple[bytes, str]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, allowed = files.get(self.path, (b"", ""))
            self.send_response(200 if body else 404)
            self.send_header("Access-Control-Allow-Origin", allowed)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", files
        server.shutdown()
        thread.join()


def test_the_check_takes_this_build_only(other_tracker: tuple[str, dict[str, tuple[bytes, str]]]) -> None:
    url, files = other_tracker
    body = b"library"
    integrity = f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}"
    file = BundledFile("peerpool.js", len(body), 1, "0123abcd", integrity)
    with pytest.raises(TrackerCheckError, match="answers 404"):
        check_tracker(file, url)
    files["/peerpool.0123abcd.js"] = (body + b" ", "*")
    with pytest.raises(TrackerCheckError, match="not the file that was built here"):
        check_tracker(file, url)
    files["/peerpool.0123abcd.js"] = (body, "https://one.example")
    with pytest.raises(TrackerCheckError, match="Access-Control-Allow-Origin"):
        check_tracker(file, url)
    files["/peerpool.0123abcd.js"] = (body, "*")
    check_tracker(file, url)


def test_the_check_says_when_nobody_is_there(other_tracker: tuple[str, dict[str, tuple[bytes, str]]]) -> None:
    with pytest.raises(TrackerCheckError, match="cannot be had"):
        check_tracker(MANIFEST["peerpool.js"], "http://127.0.0.1:9")


def test_the_command_warns_of_plain_http(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bundle, "find_checkout", lambda: None)
    monkeypatch.setattr(bundle, "load_manifest", lambda: MANIFEST)
    for tracker, warned in (("http://tracker.example", True), ("http://localhost:8080", False), (TRACKER, False)):
        assert cli.main(["embed", "--tracker", tracker, "--site", "news", "--form", "npm"]) == 0
        printed = capsys.readouterr()
        assert ("TLS" in printed.err) == warned
        assert printed.out.rstrip() == npm_module(MANIFEST, Embedding(tracker, "news"))
    assert cli.main(["embed", "--tracker", "no"]) == 2


@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_be_asked_for(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "find_checkout", lambda: None)
    monkeypatch.setattr(bundle, "load_manifest", lambda: MANIFEST)
    assert cli.main(["embed", "--tracker", TRACKER, "--form", form]) == 0
    assert capsys.readouterr().out.rstrip() == FORMS[form](MANIFEST, Embedding(TRACKER))


def test_the_documents_show_what_is_printed() -> None:
    page = Embedding(TRACKER)
    shown = blocks("docs/install.md", "html")
    assert script_tag(MANIFEST, page).partition("-->\n")[2] + "\n" in shown
    assert import_map(MANIFEST, page) + "\n" in shown
    assert npm_module(MANIFEST, page).partition("\n")[2] + "\n" in blocks("docs/install.md", "ts")
    assert worker_script(MANIFEST, page).partition("\n")[2] + "\n" in blocks("docs/install.md", "js")


def test_the_quick_start_is_one_line() -> None:
    quick_start = blocks("README.md", "html")[0]
    assert quick_start.count("\n") == 1
    ((attributes, _),) = scripts(re.sub(r"<!--.*?-->", "", quick_start))
    assert attributes == {"src": f"{TRACKER}/peerpool.js"}
    assert quick_start in blocks("docs/install.md", "html")

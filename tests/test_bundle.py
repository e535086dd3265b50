"""Building the library, in a checkout of the test's own with the real esbuild."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from pathlib import Path

import pytest
from peerpool import __version__, bundle, cli
from peerpool.assets import CACHE_HASHED, CACHE_STABLE, CHECK_INTERVAL_S, Assets
from peerpool.core.errors import BundleError
from starlette.requests import Request
from starlette.responses import Response

from tests.servers import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / "node_modules" / "esbuild").is_dir(), reason="needs `npm ci`")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    js = tmp_path / "static" / "js"
    (js / "pages").mkdir(parents=True)
    (js / "index.js").write_text("export const answer = 42;\n")
    (js / "notice.js").write_text("export const notice = 7;\n")
    (js / "global.js").write_text(
        'import { answer } from "./index.js";\n'
        "const notice = [PEERPOOL_NOTICE_FILE, PEERPOOL_NOTICE_INTEGRITY];\n"
        "const files = [PEERPOOL_FILES_FILE, PEERPOOL_FILES_INTEGRITY];\n"
        "const debug = [PEERPOOL_DEBUG_FILE, PEERPOOL_DEBUG_INTEGRITY];\n"
        "const crypto = [PEERPOOL_CRYPTO_FILE, PEERPOOL_CRYPTO_INTEGRITY];\n"
        "const dash = [PEERPOOL_DASH_FILE, PEERPOOL_DASH_INTEGRITY];\n"
        "window.PeerPool = { answer, notice, files, crypto, dash, debug, version: PEERPOOL_VERSION };\n"
    )
    (js / "notice.js").write_text("export const notice = 1;\n")
    (js / "crypto.js").write_text("export const sha256 = 1;\n")
    (js / "files.js").write_text("export const fetchFile = 1;\n")
    (js / "dash.js").write_text("export const readMpd = 1;\n")
    (js / "debug.js").write_text("export const openOverlay = 1;\n")
    (js / "worker.js").write_text("self.onfetch = null;\n")
    (js / "pages" / "demo.js").write_text("demo();\n")
    (js / "pages" / "dashboard.js").write_text("dashboard();\n")
    (js / "pages" / "dashboard.css").write_text("body { margin: 0; }\n")
    (js / "bundle-budget.json").write_text('{"peerpool.js": {"gzip_bytes": 600}}')
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    return tmp_path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "bundled"


def get(assets: Assets, path: str, **headers: str) -> Response:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": raw, "query_string": b""}
    return asyncio.run(assets.serve(Request(scope)))


def test_build_makes_every_file_and_measures_it(checkout: Path, out: Path) -> None:
    manifest = bundle.build(checkout, out)
    assert set(manifest) == {
        "peerpool.js", "peerpool.js.map", "peerpool.esm.js", "peerpool.esm.js.map", "peerpool-notice.js",
        "peerpool-notice.js.map", "peerpool-crypto.js", "peerpool-crypto.js.map", "peerpool-files.js",
        "peerpool-files.js.map", "peerpool-dash.js", "peerpool-dash.js.map", "peerpool-sw.js", "peerpool-sw.js.map",
        "peerpool-debug.js", "peerpool-debug.js.map", *bundle.PAGES, *bundle.COPIES,
        bundle.NOTICES,
    }  # fmt: skip
    assert bundle.load_manifest(out) == manifest
    for name, file in manifest.items():
        assert (out / name).stat().st_size == file.size_bytes
    assert f'version:"{__version__}"' in (out / "peerpool.js").read_text()
    assert "export{" in (out / "peerpool.esm.js").read_text()
    assert [path.name for path in checkout.iterdir() if path.name.startswith("bundled.")] == []


def test_the_library_knows_the_second_scripts_it_was_built_with(checkout: Path, out: Path) -> None:
    manifest = bundle.build(checkout, out)
    built = (out / "peerpool.js").read_text()
    for name in bundle.SECOND_SCRIPTS:
        script = manifest[name]
        digest = base64.b64encode(hashlib.sha384((out / name).read_bytes()).digest()).decode()
        assert script.integrity == f"sha384-{digest}"
        assert f'["{script.hashed_name}","{script.integrity}"]' in built


def test_a_manifest_of_another_version_is_not_taken(checkout: Path, out: Path) -> None:
    bundle.build(checkout, out)
    for listed in ('{"peerpool.js": {"name": "peerpool.js"}}', "[]"):
        (out / bundle.MANIFEST).write_text(listed)
        with pytest.raises(BundleError, match="another version"):
            bundle.load_manifest(out)


def test_a_newer_source_makes_it_stale(checkout: Path, out: Path) -> None:
    assert bundle.is_stale(checkout, out)
    bundle.build(checkout, out)
    assert not bundle.is_stale(checkout, out)
    touch_later(checkout / "static" / "js" / "index.js", out)
    assert bundle.is_stale(checkout, out)


def touch_later(path: Path, out: Path) -> None:
    later = (out / bundle.MANIFEST).stat().st_mtime + 10
    os.utime(path, (later, later))


def test_a_syntax_error_is_shown_and_nothing_is_replaced(checkout: Path, out: Path) -> None:
    bundle.build(checkout, out)
    before = (out / "peerpool.js").read_bytes()
    (checkout / "static" / "js" / "index.js").write_text("export const = 1;")
    with pytest.raises(BundleError, match=r"index\.js"):
        bundle.build(checkout, out)
    assert (out / "peerpool.js").read_bytes() == before


def test_without_esbuild_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="npm ci"):
        bundle.build(tmp_path, tmp_path / "out")


def test_the_budget(checkout: Path, out: Path) -> None:
    manifest = bundle.build(checkout, out)
    assert bundle.over_budget(checkout, manifest) == []
    (checkout / bundle.BUDGET).write_text('{"peerpool.js": {"gzip_bytes": 5}}')
    assert "above its budget of 5" in bundle.over_budget(checkout, manifest)[0]


def test_the_command_fails_over_budget(
    checkout: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "find_checkout", lambda: checkout)
    monkeypatch.setattr(bundle.build, "__defaults__", (out,))
    assert cli.main(["bundle", "--check-budget"]) == 0
    assert "peerpool.js" in capsys.readouterr().out
    (checkout / bundle.BUDGET).write_text('{"peerpool.js": {"gzip_bytes": 5}}')
    assert cli.main(["bundle", "--check-budget"]) == 1


def test_the_shipped_library_is_within_its_budget(tmp_path: Path) -> None:
    assert bundle.over_budget(ROOT, bundle.build(ROOT, tmp_path / "out")) == []


def test_stable_and_hashed_names(checkout: Path, out: Path) -> None:
    file = bundle.build(checkout, out)["peerpool.js"]
    assets = Assets(out)
    stable = get(assets, "/peerpool.js")
    hashed = get(assets, f"/peerpool.{file.digest}.js")
    assert stable.body == hashed.body == (out / "peerpool.js").read_bytes()
    assert stable.headers["cache-control"] == CACHE_STABLE
    assert hashed.headers["cache-control"] == CACHE_HASHED
    assert stable.headers["content-type"].startswith("text/javascript")
    assert stable.headers["access-control-allow-origin"] == "*"
    assert stable.headers["cross-origin-resource-policy"] == "cross-origin"
    source_map = get(assets, "/peerpool.js.map")
    assert source_map.headers["content-type"] == "application/json"
    assert json.loads(bytes(source_map.body))["sources"]


def test_an_etag_saves_the_body(checkout: Path, out: Path) -> None:
    bundle.build(checkout, out)
    assets = Assets(out)
    etag = get(assets, "/peerpool.js").headers["etag"]
    for tags in (etag, f'"other", W/{etag}', "*"):
        again = get(assets, "/peerpool.js", if_none_match=tags)
        assert (again.status_code, again.body) == (304, b"")
    assert get(assets, "/peerpool.js", if_none_match='"other"').status_code == 200


def test_nothing_else_is_served(checkout: Path, out: Path) -> None:
    bundle.build(checkout, out)
    assets = Assets(out)
    for path in ("/manifest.json", "/../cli.py", "/peerpool.00000000.js", "/pages/none.js"):
        assert get(assets, path).status_code == 404


def test_a_missing_bundle_is_503(out: Path) -> None:
    assets = Assets(out)
    assert get(assets, "/peerpool.js").status_code == 503
    assert not assets.is_ready


def test_a_checkout_follows_its_sources(checkout: Path, out: Path) -> None:
    now = 0.0
    assets = Assets(out, checkout, clock=lambda: now)
    first = get(assets, "/peerpool.js").body
    source = checkout / "static" / "js" / "index.js"
    source.write_text("export const answer = 43;\n")
    touch_later(source, out)
    assert get(assets, "/peerpool.js").body == first, "sources are looked at once a second at most"
    now += CHECK_INTERVAL_S
    assert b"43" in bytes(get(assets, "/peerpool.js").body)
    source.write_text("export const = broken")
    touch_later(source, out)
    now += CHECK_INTERVAL_S
    assert b"43" in bytes(get(assets, "/peerpool.js").body), "a mistake while editing keeps the last good one"

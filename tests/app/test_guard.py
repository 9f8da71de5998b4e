"""Every rule of the guard, each by a request that breaks it and by one that keeps it."""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from measurement.errors import DataError
from tests.app.conftest import BASE, TOKEN
from theodolite.app.desk import Desk
from theodolite.app.guard import LARGEST_BODY
from theodolite.app.serving import serve
from theodolite.app.settings import Settings, refuse_open_doors
from theodolite.keys import Keys, may
from theodolite.study import Study
from theodolite.talking import RUNTIME

Serve = Callable[..., TestClient]
FORM = {"content-type": "application/x-www-form-urlencoded"}
OWN = {"sec-fetch-site": "same-origin"}


def keys(folder: Path) -> Keys:
    return Study.open(folder).keys


# -- who ----------------------------------------------------------------------------------------------------------


def test_nobody_sees_anything_but_the_way_in(empty: Path, client_of: Serve) -> None:
    nobody = client_of(empty, None)
    for path in ("/", "/data", "/channel?name=tv", "/job?id=1", "/nowhere"):
        refused = nobody.get(path)
        assert refused.status_code == 401, path
        assert "tv" not in refused.text
        assert "/sign-in" in refused.text
    api = nobody.get("/api/v1/study")
    assert api.status_code == 401
    assert api.headers["content-type"] == "application/problem+json"
    assert api.headers["www-authenticate"] == "Bearer"
    assert nobody.get("/static/app.css").status_code == 200


def test_the_token_of_the_address_becomes_a_strict_cookie_and_leaves_the_address(empty: Path, client_of: Serve) -> None:
    browser = client_of(empty, None)
    first = browser.get("/data", params={"token": TOKEN, "a": "1 2"})
    assert first.status_code == 303
    assert first.headers["location"] == "/data?a=1+2"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert browser.get("/data").status_code == 200
    assert browser.post("/sign-out", headers=OWN | FORM).status_code == 303
    assert browser.get("/data").status_code == 401


def test_signing_in_never_leads_to_another_site(empty: Path, client_of: Serve) -> None:
    for path in ("//evil.example/", "/\\evil.example", "///evil.example"):
        answer = client_of(empty, None).get(f"{BASE}{path}?token={TOKEN}")
        assert answer.status_code == 303
        assert not answer.headers["location"].startswith(("//", "/\\", "http")), answer.headers["location"]


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], TOKEN + "x", "theo_00000000_x", "\u00e9"])
def test_a_wrong_token_opens_nothing(empty: Path, client_of: Serve, wrong: str) -> None:
    nobody = client_of(empty, None)
    assert nobody.get("/", params={"token": wrong}).status_code == 401
    assert nobody.get("/", headers={"authorization": b"Bearer " + wrong.encode()}).status_code == 401
    assert nobody.get("/", headers={"cookie": f"theodolite_8765={wrong.encode().hex()}"}).status_code == 401
    assert nobody.post("/sign-in", headers=OWN | FORM, data={"key": wrong}).status_code == 401


def test_keys_open_what_their_role_allows_and_nothing_after_they_are_revoked(empty: Path, client_of: Serve) -> None:
    made, viewer = keys(empty).add("a dashboard", "viewer")
    _, editor = keys(empty).add("a planner", "editor")
    reader, planner = client_of(empty, viewer), client_of(empty, editor)
    assert reader.get("/data").status_code == 200
    assert ">Fit the model</button>" not in reader.get("/").text
    assert ">Fit the model</button>" in planner.get("/").text
    refused = reader.post("/jobs", headers=FORM, data={"kind": "fit"})
    assert refused.status_code == 403
    assert "editor" in refused.text
    browser = client_of(empty, None)
    assert browser.post("/sign-in", headers=OWN | FORM, data={"key": viewer}).status_code == 303
    assert "a dashboard" in browser.get("/data").text
    keys(empty).revoke(made.id)
    assert reader.get("/data").status_code == 401
    assert client_of(empty, viewer).get("/data").status_code == 401


def test_a_browser_is_signed_out_when_its_key_is_revoked(empty: Path, client_of: Serve) -> None:
    made, text = keys(empty).add("a leaver", "editor")
    browser = client_of(empty, None)
    signed = browser.post("/sign-in", headers=OWN | FORM, data={"key": text})
    cookie = signed.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert text not in cookie
    assert browser.get("/data").status_code == 200
    keys(empty).revoke(made.id)
    assert browser.get("/data").status_code == 401
    assert browser.post("/jobs", headers=OWN | FORM, data={"kind": "fit"}).status_code == 401


def test_secrets_are_compared_in_constant_time(empty: Path, client_of: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes | str, bytes | str]] = []

    def compare(one: bytes | str, other: bytes | str) -> bool:
        compared.append((one, other))
        return one == other

    _, text = keys(empty).add("n", "viewer")
    monkeypatch.setattr("hmac.compare_digest", compare)
    nobody = client_of(empty, None)
    assert nobody.get("/data", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert (b"wrong", TOKEN.encode()) in compared
    wrong = text[:-1] + ("x" if text[-1] != "x" else "y")
    assert nobody.get("/data", headers={"authorization": f"Bearer {wrong}"}).status_code == 401
    digest = hashlib.sha256(wrong.encode()).hexdigest()
    assert any(other == digest for _, other in compared)


def test_a_key_is_kept_as_a_hash_only(empty: Path) -> None:
    made, text = keys(empty).add("n", "admin")
    store = Study.open(empty).store
    assert all(text not in str(event.payload) for event in store.events())
    secret = text.split("_", 2)[2]
    held = b"".join(file.read_bytes() for file in (empty / ".theodolite").rglob("*") if file.is_file())
    assert secret.encode() not in held
    assert keys(empty).listed() == [made]
    with pytest.raises(DataError, match="did you mean 'editor'"):
        keys(empty).add("n", "editr")
    with pytest.raises(DataError, match="no key"):
        keys(empty).revoke("nothing")


def test_roles_include_those_below_them() -> None:
    order = ("viewer", "editor", "approver", "admin")
    assert [[may(a, b) for b in order] for a in order] == [[j <= i for j in range(4)] for i in range(4)]


# -- other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8765", "", "[::2]", "127.0.0.2"]
)
def test_only_our_own_hosts_are_answered(empty: Path, client_of: Serve, host: str) -> None:
    assert client_of(empty).get("/data", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8765", "LOCALHOST", "[::1]:8765"])
def test_our_own_hosts_are_answered(empty: Path, client_of: Serve, host: str) -> None:
    assert client_of(empty).get("/static/app.js", headers={"host": host}).status_code == 200


def test_a_named_host_is_answered(empty: Path, client_of: Serve) -> None:
    named = client_of(empty, hosts=("measure.example",))
    assert named.get("/static/app.js", headers={"host": "measure.example"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": BASE}, 303),
        ({}, 403),
    ],
)
def test_a_write_must_come_from_our_own_pages(
    empty: Path, client_of: Serve, headers: dict[str, str], status: int
) -> None:
    browser = client_of(empty, None)
    browser.get("/data", params={"token": TOKEN})
    assert browser.post("/job/cancel", headers=FORM | headers, data={"id": "x"}).status_code in (status, 422)
    answer = browser.post("/sign-out", headers=FORM | headers)
    assert answer.status_code == status


def test_a_program_with_a_key_needs_no_origin(empty: Path, client_of: Serve) -> None:
    assert client_of(empty).post("/sign-out", headers=FORM).status_code == 303


def test_pages_of_others_may_link_to_us_but_not_load_us(empty: Path, client_of: Serve) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client_of(empty).get("/data", headers=visit).status_code == 200
    assert client_of(empty).get("/data", headers=visit | {"sec-fetch-dest": "iframe"}).status_code == 403
    assert client_of(empty).get("/data", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client_of(empty).get("/api/v1/study", headers=visit).status_code == 403


def test_every_answer_carries_the_headers_and_no_cors(empty: Path, client_of: Serve) -> None:
    client, nobody = client_of(empty), client_of(empty, None)
    for answer in (
        client.get("/data"),
        nobody.get("/data"),
        client.get("/nowhere"),
        client.get("/static/app.js"),
        client.get("/data", headers={"host": "evil.example"}),
        client.get("/api/v1/nowhere", headers={"origin": "https://evil.example"}),
        client.options("/data", headers={"origin": "https://evil.example", "access-control-request-method": "POST"}),
    ):
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers
    assert client.get("/data").headers["cache-control"] == "no-store"


def test_what_nobody_foresaw_is_told_to_nobody_but_the_log(
    empty: Path, client_of: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError(f"{empty} is on fire")

    client = client_of(empty)
    monkeypatch.setattr(Desk, "reading", broken)
    for path in ("/data", "/api/v1/study"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "on fire" not in answer.text
        assert str(empty) not in answer.text
        assert "Traceback" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert f"GET {path} failed" in caplog.text
    assert client.get("/api/v1/study").headers["content-type"] == "application/problem+json"
    assert "on fire" in caplog.text
    assert TOKEN not in caplog.text


def test_a_key_that_cannot_be_looked_up_is_refused_in_words(empty: Path, client_of: Serve) -> None:
    _, text = keys(empty).add("n", "admin")
    (empty / "theodolite.toml").write_text("[study", "utf-8")
    answer = client_of(empty, text).get("/api/v1/study")
    assert answer.status_code == 409
    assert "where the server was started" in answer.json()["detail"]
    assert "theodolite.toml" not in answer.text, "nobody is known yet: what is wrong is no stranger's"


def test_refusals_name_files_from_the_workspace_and_not_where_it_lies(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    (empty / "tables" / "media.csv").write_text("date,geo\n1\n", "utf-8")
    for answer in (client.get("/api/v1/study"), client.get("/data"), client.get("/"), client.get("/api/v1/checks")):
        assert str(empty) not in answer.text
    told = client.get("/api/v1/study")
    assert told.status_code == 422
    assert any("media.csv" in problem.get("file", "") for problem in told.json()["problems"]), told.text
    (empty / "theodolite.toml").write_text("[study", "utf-8")
    for path in ("/api/v1/study", "/data"):
        answer = client.get(path)
        assert answer.status_code == 422
        assert "theodolite.toml" in answer.text
        assert str(empty) not in answer.text


def test_a_socket_is_not_opened(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    with pytest.raises(WebSocketDisconnect) as ended, client.websocket_connect("/"):
        pass
    assert ended.value.code == 1008


@pytest.mark.parametrize(
    "name", ["../theodolite.toml", "..%2f..%2fkeys.py", "%2e%2e/app.css", "/etc/passwd", "a%00", "app"]
)
def test_only_our_own_scripts_and_styles_are_files(empty: Path, client_of: Serve, name: str) -> None:
    assert client_of(empty).get(f"{BASE}/static/{name}").status_code == 404


def test_a_server_writes_down_no_address_and_its_secret_for_its_own_user_only(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[uvicorn.Config, int]] = []

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        seen.append((server.config, (empty / ".theodolite" / RUNTIME).stat().st_mode))
        for each in sockets:
            each.close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    serve(Settings(empty, port=0, token=TOKEN), browser=False, say=lambda _: None)
    ((config, mode),) = seen
    assert not config.access_log, "addresses of first visits hold the token"
    assert not config.proxy_headers, "only the guard reads them"
    assert not config.server_header
    if os.name == "posix":
        assert mode & 0o077 == 0
    assert not (empty / ".theodolite" / RUNTIME).exists()


# -- bodies -----------------------------------------------------------------------------------------------------------


def test_bodies_are_limited_whatever_they_say_of_themselves(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    long = b"a=" + b"x" * LARGEST_BODY
    assert client.post("/experiments/import", headers=FORM, content=long).status_code == 413
    parts = (b"x" * 100_000 for _ in range(LARGEST_BODY // 100_000 + 1))
    assert client.post("/experiments/import", headers=FORM, content=parts).status_code == 413
    wrong = FORM | {"content-length": "-1"}
    assert client.post("/experiments/import", headers=wrong, content=b"").status_code == 413


def test_pages_take_forms_and_the_api_takes_json(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x", ""):
        assert client.post("/jobs", headers={"content-type": kind}, content=b"{}").status_code == 415, kind
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert client.post("/api/v1/jobs", headers={"content-type": kind}, content=b"{}").status_code == 415, kind


def test_a_form_that_is_no_text_is_refused_in_words(empty: Path, client_of: Serve) -> None:
    answer = client_of(empty).post("/jobs", headers=FORM, content=b"kind=\xff\xfe" + b"&a=1" * 600)
    assert answer.status_code == 422


# -- proxies and binds ------------------------------------------------------------------------------------------------


def test_only_a_listed_proxy_is_believed(empty: Path, client_of: Serve) -> None:
    said = {"x-forwarded-user": "mia", "x-forwarded-role": "editor"}
    assert client_of(empty, None).get("/data", headers=said).status_code == 401
    assert client_of(empty, None, proxies=("10.0.0.2",)).get("/data", headers=said).status_code == 401
    behind = client_of(empty, None, proxies=("127.0.0.1",))
    seen = behind.get("/", headers=said)
    assert seen.status_code == 200
    assert "mia" in seen.text
    assert ">Fit the model</button>" in seen.text
    assert (
        ">Fit the model</button>"
        not in behind.get("/", headers={"x-forwarded-user": "mia", "x-forwarded-role": "king"}).text
    )
    assert behind.get("/", headers={"x-forwarded-role": "admin"}).status_code == 401


def test_a_forwarded_host_counts_from_a_listed_proxy_only(empty: Path, client_of: Serve) -> None:
    forged = {"x-forwarded-host": "127.0.0.1", "host": "evil.example"}
    assert client_of(empty).get("/data", headers=forged).status_code == 421
    wrong = {"x-forwarded-host": "evil.example"}
    assert client_of(empty, proxies=("127.0.0.1",)).get("/data", headers=wrong).status_code == 421
    assert client_of(empty).get("/data", headers=wrong).status_code == 200


def test_cookies_are_secure_behind_https(empty: Path, client_of: Serve) -> None:
    behind = client_of(empty, None, proxies=("127.0.0.1",))
    made = behind.get("/", params={"token": TOKEN}, headers={"x-forwarded-proto": "https"})
    assert "Secure" in made.headers["set-cookie"]


def test_a_bind_that_others_can_reach_needs_keys_or_a_proxy_and_a_name(empty: Path) -> None:
    refuse_open_doors(Settings(empty), 0)
    refuse_open_doors(Settings(empty, "::1"), 0)
    with pytest.raises(DataError, match="keys add"):
        refuse_open_doors(Settings(empty, "0.0.0.0"), 0)  # noqa: S104
    with pytest.raises(DataError, match="--name"):
        refuse_open_doors(Settings(empty, "192.0.2.1"), 1)
    with pytest.raises(DataError, match="--name"):
        refuse_open_doors(Settings(empty, "192.0.2.1", proxies=("10.0.0.1",)), 0)
    refuse_open_doors(Settings(empty, "192.0.2.1", hosts=("m.example",)), 1)
    with pytest.raises(DataError, match="expected an address"):
        refuse_open_doors(Settings(empty, proxies=("a proxy",)), 0)

"""The emulator's own books add up to what clients saw, with faults on; quotas hold in real time."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from emulator_requests import name, pdf, png, request
from google.api_core import exceptions

from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import ServerSettings, Switches, make_faults
from docdask.service.emulator import EmulatorConfig
from docdask.testing import running_emulator

WIDE = DEFAULT_BOOK.override({"online_requests": 10**6, "user_requests": 10**6})


def seen_by(client, calls):
    """Counts of what a client sees: pages of good replies, and codes of the others."""
    pages, codes = 0, Counter()
    for number in range(calls):
        count = number % 3 + 1
        try:
            reply = client.process_document(request=request(pdf(count)), retry=None)
            pages += len(reply.document.pages)
            codes["OK"] += 1
        except exceptions.GoogleAPICallError as error:
            lost = "Socket closed" in error.message
            codes["lost" if lost else error.grpc_status_code.name] += 1
    return pages, codes


@pytest.mark.parametrize("profile", ["none", "flaky", "quota-storm", "lost-reply", "duplicate", "hostile"])
def test_the_books_add_up_to_what_the_client_saw(profile):
    faults = make_faults(profile, {"slow": 0.0})
    with running_emulator(
        EmulatorConfig(ocr="fast", server=ServerSettings(limits=WIDE, faults=faults))
    ) as emulator:
        pages, codes = seen_by(emulator.documentai_client(), 150)
        stats, rows = emulator.stats(), emulator.calls()
    lost = [row for row in rows if row.get("fault") == "lost"]
    copies = [row for row in rows if row.get("copy")]
    assert stats["calls_ok"] == codes["OK"] + codes["lost"] + len(copies)
    assert stats["calls_refused"] == sum(codes.values()) - codes["OK"] - codes["lost"]
    assert stats["replies_lost"] == codes["lost"] == len(lost)
    extra = sum(row["billed_pages"] for row in lost + copies)
    assert stats["pages_billed"] == pages + extra == sum(row["billed_pages"] for row in rows)
    assert Counter(row["code"] for row in rows) == Counter(stats["codes"])
    assert stats["duplicates"] == len(copies)


def test_a_lost_reply_over_rest_cuts_the_connection(emulator):
    emulator.faults(lost=1.0)
    with pytest.raises(Exception, match=r"(?i)connection|disconnected|reset"):
        emulator.documentai_client("rest").process_document(request=request(pdf()), retry=None)
    assert emulator.stats()["pages_billed"] == 1


@pytest.mark.slow
def test_the_121st_call_of_a_real_minute_is_refused():
    with running_emulator(EmulatorConfig(ocr="fast")) as emulator:
        client = emulator.documentai_client()
        content = request(pdf())
        for _ in range(120):
            client.process_document(request=content, retry=None)
        with pytest.raises(exceptions.ResourceExhausted):
            client.process_document(request=content, retry=None)
        assert emulator.stats()["calls_ok"] == 120


def test_speed_lets_a_minutes_quota_pass_in_no_time():
    # Refused attempts don't count here: this client hammers.
    switches = Switches(refused_count=False)
    server = ServerSettings(limits=DEFAULT_BOOK.override({"online_requests": 1}), switches=switches)
    with running_emulator(EmulatorConfig(ocr="fast", speed=6000.0, server=server)) as emulator:
        client = emulator.documentai_client()
        deadline = time.monotonic() + 20
        for _ in range(3):
            while True:
                try:
                    client.process_document(request=request(pdf()), retry=None)
                    break
                except exceptions.ResourceExhausted:
                    assert time.monotonic() < deadline
        stats = emulator.stats()
    assert stats["calls_ok"] == 3


@pytest.mark.slow
def test_googles_own_retry_gets_through_a_storm(emulator):
    emulator.faults("quota-storm", quota=0.5)
    client = emulator.documentai_client()
    for _ in range(4):
        client.process_document(request=request(pdf()))
    assert emulator.stats()["calls_ok"] == 4


def test_calls_are_paged_and_filtered(emulator):
    client = emulator.documentai_client()
    for number in range(7):
        client.process_document(request=request(pdf(number % 2 + 1)))
    page = emulator._json("/emulator/calls?page_size=3")
    assert len(page["calls"]) == 3
    rest = emulator._json(f"/emulator/calls?page_size=100&page_token={page['next_page_token']}")
    assert [row["n"] for row in page["calls"] + rest["calls"]] == [1, 2, 3, 4, 5, 6, 7]
    assert rest["next_page_token"] is None
    assert len(emulator.calls(pages="2")) == 3


def test_reset_empties_the_books_and_refills_the_quota():
    server = ServerSettings(limits=DEFAULT_BOOK.override({"online_requests": 1}))
    with running_emulator(EmulatorConfig(ocr="fast", server=server)) as emulator:
        client = emulator.documentai_client()
        for _ in range(2):
            client.process_document(request=request(pdf()), retry=None)
            emulator.reset()
        assert emulator.calls() == []
        assert emulator.stats()["calls"] == 0


def test_users_are_told_apart_by_their_tokens(emulator):
    import json
    import urllib.parse
    import urllib.request

    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": "e30.eyJpc3MiOiJtZUBoZXJlIn0.x",
    }
    for path in ("/token", "/oauth2/v4/token"):
        with urllib.request.urlopen(emulator.http_url + path, urllib.parse.urlencode(form).encode()) as reply:
            token = json.load(reply)
    assert token["token_type"] == "Bearer"
    for credentials in (f"Bearer {token['access_token']}", "Bearer opaque", None):
        asked = urllib.request.Request(f"{emulator.http_url}/v1/{name()}")
        if credentials:
            asked.add_header("Authorization", credentials)
        urllib.request.urlopen(asked).close()
    users = [row["user"] for row in emulator.calls()]
    assert users[0] == "me@here"
    assert users[1].startswith("token-")
    assert users[2] == "anonymous"


def test_a_key_file_gets_a_token_from_the_emulator(emulator, tmp_path):
    from google.auth.transport.requests import Request
    from google.oauth2 import service_account

    from docdask.service.emulator.keyfile import write_key

    write_key(tmp_path / "key.json", f"{emulator.http_url}/token")
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials = service_account.Credentials.from_service_account_file(tmp_path / "key.json", scopes=scopes)
    credentials.refresh(Request())
    assert credentials.valid


def test_the_status_page_shows_calls_quota_pages_and_errors(emulator):
    import urllib.request

    client = emulator.documentai_client()
    client.process_document(request=request(pdf(3)))
    with pytest.raises(exceptions.InvalidArgument):
        client.process_document(request=request(png(10_001, 1), "image/png"))
    with urllib.request.urlopen(emulator.http_url + "/") as reply:
        page = reply.read().decode()
    for text in (
        "<b>3</b><span>pages billed",
        "OCR_PROCESSOR · us",
        "Image width or height exceeds",
        "INVALID_ARGUMENT",
    ):
        assert text in page


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"profile": "none", "lost": 7}', b'{"profile": 3}', b'{"nope": 1}']
)
def test_faults_that_make_no_sense_are_refused(emulator, body):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        urllib.request.urlopen(emulator.http_url + "/emulator/faults", body)
    caught.value.close()

"""The page in a real browser, during a run against an emulator: it is there, its numbers move, nothing complains."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

import docdask
from docdask.charts.theme import DARK
from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import ServerSettings
from docdask.core.server.latency import Latency
from docdask.core.spec import BreakerSpec, BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.service.emulator import EmulatorConfig
from docdask.testing import EmulatorHandle, running_emulator
from tests.browser import running_browser
from tests.processes import wait_until

pytestmark = pytest.mark.browser
AXES = "[...Bokeh.documents[0].all_models].filter(m => m.type.endsWith('Axis')).map(m => m.axis_label_text_color)"
SECOND = 10**9
DOCUMENT = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n"


@pytest.fixture
def emulator() -> Iterator[EmulatorHandle]:
    """Two regions of 240 calls a minute each, half a second a call."""
    book = DEFAULT_BOOK.override({"online_requests": 240, "user_requests": 10_000})
    server = ServerSettings(limits=book, latency=Latency(base_ns=SECOND // 2))
    with running_emulator(EmulatorConfig(ocr="fast", server=server)) as handle:
        yield handle


def spec(*, eu: int = 240) -> SemaphoreSpec:
    return SemaphoreSpec(
        (
            EndpointSpec("us/OCR", location="us", requests=240),
            EndpointSpec("eu/OCR", location="eu", requests=eu),
        ),
        breaker=BreakerSpec(failures=3, open_ns=60 * SECOND),
    )


def call(number: int, quota: docdask.QuotaSemaphore, address: str) -> str:
    """One page to wherever the permit says; again elsewhere while it fails."""
    import grpc
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import documentai

    service = documentai.DocumentProcessorServiceClient
    channel = grpc.insecure_channel(address)
    client = service(transport=service.get_transport_class("grpc")(channel=channel))
    raw = documentai.RawDocument(content=DOCUMENT, mime_type="application/pdf")
    with channel:
        for attempt in range(1, 99):
            with quota.permit(run="june", attempt=attempt) as permit:
                location = permit.endpoint.split("/")[0]
                name = f"projects/p/locations/{location}/processors/ocr"
                request = documentai.ProcessRequest(name=name, raw_document=raw)
                try:
                    client.process_document(request, retry=None, timeout=20)
                except GoogleAPICallError:
                    permit.report("capacity")
                else:
                    permit.report("ok")
                    return location
    raise AssertionError(number)


def number(text: str, pattern: str) -> int:
    found = re.search(pattern, text)
    return int(found.group(1).replace(",", "")) if found else -1


def test_the_page_is_in_the_navigation_bar_and_its_numbers_move(emulator, tmp_path):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=16, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
        running_browser(tmp_path / "browser") as browser,
    ):
        client.register_plugin(docdask.GovernorPlugin())
        link = f"http://127.0.0.1:{cluster.scheduler.http_server.port}/"
        browser.open(link + "status", dark=True)
        browser.evaluate("document.querySelector('a[href=docdask]').click()")
        wait_until(lambda: "Nothing is registered yet" in browser.text(), "the sentence for nothing")
        browser.complaints.clear()  # Dask's own page was left before it had loaded

        quota = docdask.QuotaSemaphore(name="documentai/p", spec=spec()).register()
        quota.open_run("june", calls=1000, pages=1000, budget=BudgetSpec(pages=2000))
        calls = client.map(call, range(1000), quota=quota, address=emulator.grpc_address)
        went_well = r"(\d[\d,]*) of [\d,]+ calls? went well"
        first = wait_until(lambda: max(0, number(browser.text(), went_well)), "the first calls")
        wait_until(lambda: number(browser.text(), went_well) > first, "more calls")
        text = browser.text()
        assert number(text, r"([\d,]+) of 240") > 0
        assert number(text, r"([\d,]+) of 2,000") > 0
        assert "left, for" in text
        assert set(browser.evaluate(AXES)) == {DARK.muted}  # painted for the night before there was a plot

        emulator.faults(regions_down=["us"])
        wait_until(lambda: "open: not called" in browser.text(), "the breaker")
        quota.configure(spec(eu=480))
        wait_until(lambda: number(browser.text(), r"([\d,]+) of 480") > 0, "the new quota")

        for dark in (False, True):
            browser.open(link + "docdask", width=390, dark=dark)
            wait_until(lambda: "june" in browser.text(), "the page on a narrow screen")
            wide = browser.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, "it must not be scrolled sideways"
            assert len(browser.picture()) > 10_000
        browser.open(link + "individual-docdask-quota-history", width=500, height=320)
        wait_until(lambda: "Quota in use" in browser.text(), "a plot of its own")
        assert browser.complaints == []
        client.cancel(calls)
        quota.close()

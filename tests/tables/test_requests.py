"""A row a request, as the ledger tells."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from run_making import START_NS, SmallRun, ledger, make_paid, record

from docdask.tables import reference
from docdask.tables.requests import COLUMNS
from docdask.tables.result import Result


@pytest.fixture
def small(tmp_path):
    return SmallRun(str(tmp_path / "run"))


def test_a_run_that_is_not_paid_has_none(small):
    frame = Result(small.run.url).requests
    assert frame.empty
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS


def test_every_request_has_its_end_and_its_quota(small):
    make_paid(small.run, limits={"online_requests.us.OCR_PROCESSOR": 600}, period_s=1.0)
    ledger(
        small.run.url,
        record(1, "intent", "a", 1, pages=3, micros=4500),
        record(2, "intent", "b", 2, endpoint="eu/ocr"),
        record(3, "refused", "b", 2, endpoint="eu/ocr", pages=0, micros=0, code="RESOURCE_EXHAUSTED"),
        record(4, "answered", "a", 1, pages=3, micros=4500),
        record(5, "stored", "a", 1),
        record(6, "intent", "b", 3, attempt=2),
        record(7, "lost", "b", 3, code="worker lost"),
    )
    frame = Result(small.run.url).requests
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS
    shown = ["request_id", "attempt", "endpoint", "pages", "outcome", "code", "quota_group", "quota"]
    assert frame[shown].to_numpy().tolist() == [
        ["a", 1, "us/ocr", 3, "answered", "OK", "us OCR_PROCESSOR", 600],
        ["b", 1, "eu/ocr", 0, "refused", "RESOURCE_EXHAUSTED", "eu OCR_PROCESSOR", 120],
        ["b", 2, "us/ocr", 1, "lost", "worker lost", "us OCR_PROCESSOR", 600],
    ]
    assert frame["cost_usd"].tolist() == [0.0045, 0.0, 0.0015]
    assert frame["sent_at"].astype("int64").tolist() == [START_NS + n * 10**9 for n in (1, 2, 6)]
    assert (frame["ended_at"] - frame["sent_at"]).tolist() == [pd.Timedelta(seconds=n) for n in (3, 1, 1)]
    assert set(frame["period_s"]) == {1.0}


def test_a_late_answer_ends_what_was_lost_and_no_answer_leaves_it_open(small):
    make_paid(small.run)
    ledger(
        small.run.url,
        record(1, "intent", "a", 1),
        record(2, "lost", "a", 1),
        record(3, "answered", "a", 1),
        record(4, "intent", "b", 2),
    )
    frame = Result(small.run.url).requests
    assert frame["outcome"].tolist() == ["answered", "open"]
    assert frame["ended_at"].isna().tolist() == [False, True]


def test_batches_have_a_quota_of_their_own_and_polls_are_no_requests(small):
    make_paid(small.run)
    ledger(
        small.run.url,
        record(1, "intent", "batch", 1, pages=500, micros=750_000),
        record(2, "operation", "batch", 1, code="operations/7"),
        record(3, "intent", "", 2, pages=0, micros=0),
        record(4, "answered", "", 2, pages=0, micros=0),
        record(5, "answered", "batch", 1, pages=500, micros=750_000),
    )
    (row,) = Result(small.run.url).requests.to_dict("records")
    assert (row["lane"], row["pages"], row["outcome"]) == ("batch", 500, "answered")
    assert pd.isna(row["quota"])


def test_an_operation_that_was_adopted_is_counted_once(small):
    make_paid(small.run)
    begun = [
        record(1, "intent", "batch", 1, pages=84, micros=126_000),
        record(2, "operation", "batch", 1, code="operations/7"),
        record(3, "intent", "batch", 2, pages=0, micros=0),
        record(4, "adopted", "batch", 2, code="operations/7"),
    ]
    ledger(small.run.url, *begun)
    result = Result(small.run.url)
    assert result.requests[["outcome", "pages", "lane"]].to_numpy().tolist() == [
        ["adopted", 0, "batch"],
        ["open", 84, "batch"],
    ]
    ledger(small.run.url, record(5, "answered", "batch", 2, pages=84, micros=126_000), epoch=2)
    assert result.requests["outcome"].tolist() == ["adopted", "answered"]
    assert result.requests["pages"].sum() == result.summary()["pages_paid"] == 84


def test_an_endpoint_that_is_configured_no_more_has_no_quota(small):
    make_paid(small.run)
    ledger(small.run.url, record(1, "intent", endpoint="us/gone"))
    assert Result(small.run.url).requests["quota_group"].isna().all()


def test_its_columns_are_documented():
    section = reference.markdown().split("## requests")[1].split("## ")[0]
    documented = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE)
    assert dict(documented) == COLUMNS

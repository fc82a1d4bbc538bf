"""Which lane a document takes, and what can't be sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.limits import DEFAULT_BOOK
from docdask.core.requesting import ONLINE_ENOUGH_S, PDF, Queue, Sender, to_batch
from tests.engine.catalogs import processor

costs = st.lists(st.tuples(st.floats(0.01, 300), st.floats(0.01, 300)), max_size=30)


def queue(pairs: list[tuple[float, float]], first_s: float) -> Queue:
    ordered = sorted(pairs, key=lambda pair: -pair[0] / pair[1])
    return Queue(first_s, [online for online, _ in ordered], [batch for _, batch in ordered])


def ends(queues: list[Queue], counts: list[int], batch_first_s: float) -> tuple[float, float]:
    online = max(
        (q.online_first_s + sum(q.online_s[n:]) for q, n in zip(queues, counts, strict=True)), default=0.0
    )
    return online, batch_first_s + sum(sum(q.batch_s[:n]) for q, n in zip(queues, counts, strict=True))


@given(st.lists(st.tuples(costs, st.floats(0, 2000)), max_size=3), st.floats(0, 2000))
def test_no_lane_could_end_earlier_by_sending_another_document_the_other_way(drawn, batch_first_s):
    queues = [queue(pairs, first_s) for pairs, first_s in drawn]
    counts = to_batch(queues, batch_first_s)
    online, batch = ends(queues, counts, batch_first_s)
    before = max(online, batch, ONLINE_ENOUGH_S)
    for place, (own, count) in enumerate(zip(queues, counts, strict=True)):
        for other in {max(0, count - 1), min(len(own.online_s), count + 1)} - {count}:
            changed = [*counts[:place], other, *counts[place + 1 :]]
            after = max(*ends(queues, changed, batch_first_s), ONLINE_ENOUGH_S)
            # One queue alone can't always shorten the run; it must never be able to shorten it by more than one document.
            biggest = max([*own.online_s, *own.batch_s], default=0.0)
            assert after >= before - biggest - 1e-6


@given(costs)
def test_a_run_that_ends_soon_has_no_batches(pairs):
    one = queue(pairs, 0.0)
    counts = to_batch([one])
    assert counts == [0] or sum(one.online_s) > ONLINE_ENOUGH_S


def test_equal_documents_are_divided_by_the_speed_of_the_lanes():
    counts = to_batch([Queue(0.0, [3.0] * 3000, [1.0] * 3000)])
    assert abs(counts[0] - 2250) <= 1  # 750 × 3 s online, 2,250 × 1 s by batch


def test_two_processors_share_the_batch_lane():
    counts = to_batch([Queue(0.0, [2.0] * 1000, [1.0] * 1000), Queue(0.0, [2.0] * 1000, [1.0] * 1000)])
    assert abs(counts[0] - counts[1]) <= 1
    online, batch = ends([Queue(0.0, [2.0] * 1000, [1.0] * 1000)] * 2, counts, 0.0)
    assert abs(online - batch) <= 3


def test_documents_dear_online_leave_first():
    whole = queue([(5.0, 1.0)] * 200 + [(1.0, 1.0)] * 200, 0.0)
    (count,) = to_batch([whole])
    assert 0 < count <= 200
    assert set(whole.online_s[:count]) == {5.0}


def test_a_pdf_that_is_cut_may_be_larger_by_as_much_as_its_pieces_are_smaller():
    sender = Sender(processor("ocr"), DEFAULT_BOOK, staged=False)
    most = DEFAULT_BOOK.limit("online_bytes")
    assert sender.room(PDF, 30) == (most, 0)
    assert sender.room(PDF, 300)[0] == int(most * 10 / 1.25)
    assert sender.room("image/tiff", 300)[0] == most


def test_a_tiff_beyond_a_batch_goes_online_or_is_refused_there():
    sender = Sender(processor("form"), DEFAULT_BOOK, staged=True)
    assert sender.room("image/tiff", 101)[1] == 0
    refusal = sender.misfit("image/tiff", 101, 1000, "batch")
    assert refusal is not None
    assert refusal.problem == "too-many-pages"
    assert sender.misfit("image/tiff", 101, 1000, "auto") is None

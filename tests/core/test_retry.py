"""What an answer means, and when to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core.retry import RETRYABLE, RetryPolicy, verdict

SECOND = 10**9


def test_a_full_message_buffer_is_not_a_spent_quota():
    assert (
        verdict("RESOURCE_EXHAUSTED", "Received message larger than max (5218782 vs. 4194304)") == "too-large"
    )
    assert verdict("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric") == "quota"
    assert verdict("RESOURCE_EXHAUSTED", "", reason="RATE_LIMIT_EXCEEDED") == "quota"


@pytest.mark.parametrize(
    "code", ["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "FAILED_PRECONDITION"]
)
def test_what_the_request_is_to_blame_for_is_never_tried_again(code):
    assert RetryPolicy().wait_ns(verdict(code), 1, lambda: 0.5) is None


def test_an_unknown_code_is_tried_again():
    assert verdict("SOMETHING_NEW") in RETRYABLE


@given(
    st.sampled_from(sorted(RETRYABLE)),
    st.integers(1, 7),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 90 * SECOND),
)
def test_the_wait_is_at_least_what_the_service_asks_and_at_most_the_longest(answer, attempt, drawn, after_ns):
    policy = RetryPolicy()
    wait_ns = policy.wait_ns(answer, attempt, lambda: drawn, after_ns=after_ns)
    assert after_ns <= wait_ns <= max(after_ns, policy.most_ns)


def test_waits_double_and_end():
    policy = RetryPolicy(attempts=4, first_ns=SECOND)
    waits = [policy.wait_ns("transient", attempt, lambda: 0.0) for attempt in range(1, 5)]
    assert waits == [SECOND // 2, SECOND, 2 * SECOND, None]


def test_a_quota_refusal_waits_in_the_governor_not_in_the_worker():
    assert RetryPolicy().wait_ns("quota", 3, lambda: 0.9) == 0

"""How much may be in hand at once: requests and bytes, first come first served."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.engine.room import Room


@given(st.lists(st.integers(0, 150), min_size=1, max_size=30), st.integers(1, 5))
def test_neither_limit_is_passed_and_everybody_gets_in(sizes, requests):
    async def scenario() -> list[int]:
        room, order = Room(requests, 100), []

        async def holder(number: int, size: int) -> None:
            async with room.for_bytes(size):
                order.append(number)
                assert room.held <= requests
                assert room.held_bytes <= 100 or room.held == 1
                await asyncio.sleep(0)

        await asyncio.gather(*(holder(number, size) for number, size in enumerate(sizes)))
        assert (room.held, room.held_bytes) == (0, 0)
        return order

    assert asyncio.run(scenario()) == list(range(len(sizes)))


def test_who_gives_up_waiting_holds_nothing_and_lets_the_next_one_in():
    async def scenario() -> None:
        room = Room(2, 100)

        async def hold(size: int, until: asyncio.Event) -> None:
            async with room.for_bytes(size):
                await until.wait()

        end = asyncio.Event()
        first = asyncio.create_task(hold(60, end))
        await asyncio.sleep(0)
        large = asyncio.create_task(hold(90, end))
        small = asyncio.create_task(hold(30, end))
        await asyncio.sleep(0)
        assert room.held == 1, "the small one does not pass the large one"
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large
        await asyncio.sleep(0)
        assert (room.held, room.held_bytes) == (2, 90)
        end.set()
        await asyncio.gather(first, small)
        assert room.held == 0

    asyncio.run(scenario())

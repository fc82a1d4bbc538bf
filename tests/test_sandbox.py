"""No function called in the sandbox can take its caller down, outlive it, or pass its limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from docdask import sandbox
from docdask.errors import DocumentError
from docdask.sandbox import Sandbox, SandboxClosed

HERE = "tests.test_sandbox"
ROOT = Path(__file__).parents[1]


# ---------------------------------------------------------------- what runs in the child


def echo(*args, **kwargs):
    return args, kwargs


def pid():
    return os.getpid()


def sleep(seconds):
    import time

    time.sleep(seconds)


def say_hello_and_sleep(fifo):
    Path(fifo).write_text("hello")
    sleep(600)


def eat(mebibytes):
    return len(bytearray(mebibytes * 2**20))


def eat_step_by_step(mebibytes):
    import time

    kept = []
    for _ in range(mebibytes // 16):
        kept.append(bytearray(os.urandom(1) * 16 * 2**20))
        time.sleep(0.02)
    time.sleep(60)


def crash(number):
    os.kill(os.getpid(), number)


def leave(code):
    os._exit(code)


def nest(depth):
    return nest(depth + 1)


def fail():
    raise KeyError("what")


def refuse():
    raise DocumentError("encrypted", "it is locked", "give its key")


def chatter():
    os.write(1, b"noise on standard output")
    print("more of it", flush=True)
    return os.read(0, 10)


# ---------------------------------------------------------------- tests


@pytest.fixture
def box(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    box = Sandbox()
    yield box
    box.close()


def test_arguments_and_values_arrive_as_they_were_sent(box):
    large = os.urandom(300_000)
    args, kwargs = box.call(f"{HERE}:echo", 1, "zwei", large, b"small", key=[large])
    assert args == (1, "zwei", large, b"small")
    assert kwargs == {"key": [large]}
    assert type(args[2]) is bytes


def test_a_message_larger_than_any_pipe_passes_both_ways(box):
    data = bytes(20 * 2**20)
    assert box.call(f"{HERE}:echo", data)[0][0] == data


def test_the_child_is_used_again(box):
    assert box.call(f"{HERE}:pid") == box.call(f"{HERE}:pid") == box.pid != os.getpid()


def test_a_call_over_its_time_ends_the_child_and_says_so(box):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:sleep", 600, timeout_s=0.5)
    assert caught.value.code == "timeout"
    assert "0.5 s" in str(caught.value)
    assert box.pid is None
    assert box.call(f"{HERE}:echo", 1) == ((1,), {})


def test_one_large_allocation_over_the_limit_is_refused(box):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:eat", 700, memory_bytes=200 * 2**20)
    assert caught.value.code == "memory"
    assert "200 MiB" in str(caught.value)


def test_memory_that_grows_over_the_limit_ends_the_child(box):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:eat_step_by_step", 600, memory_bytes=200 * 2**20, timeout_s=60)
    assert caught.value.code == "memory"


def test_the_memory_limit_is_that_of_each_call(box):
    assert box.call(f"{HERE}:echo", memory_bytes=100 * 2**20) == ((), {})
    assert box.call(f"{HERE}:eat", 400, memory_bytes=900 * 2**20) == 400 * 2**20


def test_a_file_that_the_child_has_no_memory_to_receive_is_a_memory_problem(box):
    box.call(f"{HERE}:echo", memory_bytes=60 * 2**20)
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:echo", bytes(400 * 2**20), memory_bytes=60 * 2**20)
    assert caught.value.code == "memory"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE])
def test_a_crash_costs_the_child_only(box, number):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:crash", number)
    assert caught.value.code == "crash"
    assert number.name in str(caught.value)
    assert box.call(f"{HERE}:echo", 1) == ((1,), {})


def test_a_library_that_exits_is_a_crash(box):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:leave", 3)
    assert (caught.value.code, "exit code 3" in str(caught.value)) == ("crash", True)


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_what_the_system_does_without_memory_is_a_memory_problem(box, number):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:crash", number)
    assert caught.value.code == "memory"


def test_endless_recursion_is_deep_nesting(box):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:nest", 0)
    assert caught.value.code == "deep-nesting"


def test_document_errors_come_back_whole(box):
    with pytest.raises(DocumentError) as caught:
        box.call(f"{HERE}:refuse")
    assert (caught.value.code, caught.value.message, caught.value.remedy) == (
        "encrypted",
        "it is locked",
        "give its key",
    )


def test_other_errors_name_their_type(box):
    with pytest.raises(RuntimeError, match="KeyError: 'what'"):
        box.call(f"{HERE}:fail")
    assert box.pid is not None


def test_what_a_library_prints_or_reads_does_not_reach_the_protocol(box):
    assert box.call(f"{HERE}:chatter") == b""
    assert box.call(f"{HERE}:echo", 1) == ((1,), {})


def test_a_child_that_died_while_idle_is_replaced(box):
    first = box.call(f"{HERE}:pid")
    os.kill(first, signal.SIGKILL)
    psutil.Process(first).wait(10)
    assert box.call(f"{HERE}:pid") != first


def test_a_child_outlives_the_thread_that_first_called_it(box):
    """A death signal is bound to a thread: children must not be started by a caller's own."""
    thread = threading.Thread(target=lambda: box.call(f"{HERE}:pid"))
    thread.start()
    thread.join()
    first = box.pid
    assert box.call(f"{HERE}:pid") == first


def test_children_end_when_their_parent_is_killed():
    """``kill -9`` of the parent, in the middle of a call and at rest."""
    script = (
        "import sys, threading; sys.path.insert(0, sys.argv[1])\n"
        "from docdask.sandbox import Sandbox\n"
        "idle, busy = Sandbox(), Sandbox()\n"
        "idle.call('tests.test_sandbox:pid'); busy.call('tests.test_sandbox:pid')\n"
        "print(idle.pid, busy.pid, flush=True)\n"
        "busy.call('tests.test_sandbox:sleep', 600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(ROOT)], stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        children = [psutil.Process(int(number)) for number in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) == 2
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_callers_at_once_have_a_child_each_and_share_them_afterwards(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    sandbox.close_all()
    barrier = threading.Barrier(2)
    seen: list[int] = []

    def work():
        barrier.wait()
        seen.extend(sandbox.call(f"{HERE}:pid") for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 6
    assert set(seen) <= set(sandbox.children())
    assert len(set(seen)) <= 2
    sandbox.close_all()
    assert sandbox.children() == []


def test_closing_all_tells_the_caller_that_nothing_is_known_about_the_file(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    caught: list[Exception] = []

    def work():
        try:
            sandbox.call(f"{HERE}:say_hello_and_sleep", str(fifo))
        except Exception as error:  # noqa: BLE001
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert fifo.read_text() == "hello"  # the call is under way
    sandbox.close_all()
    thread.join(10)
    assert [type(error) for error in caught] == [SandboxClosed]


def test_a_forked_process_does_not_use_its_parents_children(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    theirs = sandbox.call(f"{HERE}:pid")
    read, write = os.pipe()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        forked = os.fork()
    if forked == 0:
        try:
            os.write(write, str(sandbox.call(f"{HERE}:pid")).encode())
            sandbox.close_all()
        finally:
            os._exit(0)
    os.waitpid(forked, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        mine = int(pipe.read())
    assert mine != theirs
    assert sandbox.call(f"{HERE}:pid") == theirs


def test_an_idle_child_is_small(box):
    box.call(f"{HERE}:pid")
    assert psutil.Process(box.pid).memory_info().rss < 40 * 2**20

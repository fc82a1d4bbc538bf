"""The HTTP port speaks HTTP/2 to clients that offer nothing else, with TLS and without."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess

import pytest
from emulator_requests import name, pdf

pytest.importorskip("h2", reason="HTTP/2 needs the package h2")

from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded


class Peer:
    """A bare HTTP/2 client."""

    def __init__(self, emulator):
        self.host, port = emulator.http_url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((self.host, int(port)), timeout=10)
        self.h2 = H2Connection()
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, stream, method, path, body=b""):
        headers = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "x:1")]
        self.h2.send_headers(stream, headers, end_stream=not body)
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room:
                self.h2.send_data(stream, body[:room], end_stream=len(body) <= room)
                body = body[room:]
                self.flush()
            else:
                self.receive()
        self.flush()

    def receive(self):
        events = self.h2.receive_data(self.socket.recv(65536))
        for event in events:
            if isinstance(event, DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return events

    def replies(self, count):
        """Status and body of the next streams that end."""
        status, body, ended = {}, {}, []
        while len(ended) < count:
            for event in self.receive():
                if isinstance(event, ResponseReceived):
                    status[event.stream_id] = int(dict(event.headers)[b":status"])
                elif isinstance(event, DataReceived):
                    body[event.stream_id] = body.get(event.stream_id, b"") + event.data
                elif isinstance(event, StreamEnded):
                    ended.append(event.stream_id)
        return {stream: (status[stream], body.get(stream, b"")) for stream in ended}


@pytest.fixture
def peer(emulator):
    found = Peer(emulator)
    yield found
    found.socket.close()


def test_streams_of_one_connection_are_answered_each(peer):
    content = base64.b64encode(pdf(15)).decode()
    body = f'{{"rawDocument": {{"mimeType": "application/pdf", "content": "{content}"}}}}'.encode()
    peer.ask(1, "POST", f"/v1/{name()}:process", body)
    peer.ask(3, "GET", f"/v1/{name()}")
    peer.ask(5, "GET", "/v1/nothing")
    found = peer.replies(3)
    assert (found[1][0], found[3][0], found[5][0]) == (200, 200, 404)
    assert found[1][1].count(b'"pageNumber"') == 15
    assert b"OCR_PROCESSOR" in found[3][1]


def test_bodies_larger_than_the_windows_pass_both_ways(peer, emulator):
    emulator.storage_client().create_bucket("bucket")
    content = bytes(range(256)) * 12_000  # 3 MB
    peer.ask(1, "POST", "/upload/storage/v1/b/bucket/o?uploadType=media&name=big", content)
    assert peer.replies(1)[1][0] == 200
    peer.ask(3, "GET", "/storage/v1/b/bucket/o/big?alt=media")
    assert peer.replies(1)[3] == (200, content)


def test_a_stream_that_is_reset_and_a_broken_frame_leave_the_emulator_well(peer, emulator):
    peer.ask(1, "GET", f"/v1/{name()}")
    peer.h2.reset_stream(1)
    peer.flush()
    peer.socket.sendall(b"\xff" * 100)
    assert peer.socket.recv(65536)
    assert Peer(emulator).socket.close() is None
    assert emulator.stats()["in_flight"] == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_that_speaks_http2_only(emulator):
    command = [
        "curl",
        "-sS",
        "--http2-prior-knowledge",
        "-w",
        " %{http_version}",
        f"{emulator.http_url}/v1/{name()}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if "not support" in done.stderr:
        pytest.skip("this curl has no HTTP/2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" 2")
    assert "OCR_PROCESSOR" in done.stdout

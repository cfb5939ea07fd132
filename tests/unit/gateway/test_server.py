"""Listening, and hanging up on other users."""

import os
import socket
import sys
from http.client import HTTPConnection
from time import perf_counter

import pytest

from gateway.server import listen
from schemas.errors import Conflict, Invalid

from .conftest import TIMEOUT_S, House


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_every_address_listens_at_once() -> None:
    port = free_port()
    opened = listen(["127.0.0.1", "::1"], [port])
    try:
        for one in opened:
            socket.create_connection(one.getsockname()[:2], TIMEOUT_S).close()
        assert {one.getsockname()[0] for one in opened} <= {"127.0.0.1", "::1"}
        assert all(one.getsockname()[1] == port for one in opened)
    finally:
        for one in opened:
            one.close()


def test_a_second_question_on_a_connection_is_not_delayed(house: House) -> None:
    connection = HTTPConnection("127.0.0.1", house.port, timeout=TIMEOUT_S)
    took_s = []
    for _ in range(10):
        asked = perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        took_s.append(perf_counter() - asked)
    connection.close()
    assert min(took_s[1:]) < 0.03, "Nagle's algorithm and a delayed acknowledgement take 40 ms each time"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_port_in_use_names_who_holds_it_and_leaves_nothing_open() -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=rf"Port {port} on 127\.0\.0\.1 is in use by .*\(process {os.getpid()}\)"):
            listen(["127.0.0.1"], [free, port])
        socket.create_server(("127.0.0.1", free)).close()


def test_an_address_of_somebody_else_is_named() -> None:
    with pytest.raises(Invalid, match=r"192\.0\.2\.1"):
        listen(["192.0.2.1"], [free_port()])


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_of_this_computer_is_hung_up_on(house: House) -> None:
    os.seteuid(65534)
    try:
        client = socket.create_connection(("127.0.0.1", house.port), TIMEOUT_S)
    finally:
        os.seteuid(0)
    with client:
        try:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % house.port)
            heard = client.recv(100)
        except (ConnectionResetError, BrokenPipeError):
            heard = b""
    assert heard == b""

"""The kernel's tables, and who is behind a connection."""

import os
import socket
import sys

import pytest

from gateway.peers import Entry, address_in_table, find, holder, listeners, may_connect

LITTLE_ENDIAN = pytest.mark.skipif(sys.byteorder != "little", reason="the recorded table is of such a machine")
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:48BE 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 9956 1 00000000eb8879d2 100 0
   1: 0100007F:B856 0100007F:48BE 01 00000000:00000000 00:00000000 00000000  1001        0 9957 2 00000000de4d105c 20 4
   2: 0100007F:48BE 0100007F:B856 01 00000000:00000000 00:00000000 00000000  1000        0 9958 1 00000000df165fb5 20 0
   3: 0100007F:B858 0100007F:48BE 04 00000001:00000000 01:00000014 00000000     0        0 0 2 00000000de4d105c 20 4
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 0000000000000000FFFF00000100007F:B862 0000000000000000FFFF00000100007F:48BE 01 0:0 00:0 00000000  1002 0 9963 2
   1: 00000000000000000000000001000000:C018 00000000000000000000000001000000:48BE 01 0:0 00:0 00000000  1003 0 9962 2"""


@LITTLE_ENDIAN
@pytest.mark.parametrize(
    ("table", "address", "port", "mapped", "entry"),
    [
        (TCP, "127.0.0.1", 0xB856, False, Entry(1001, 9957)),
        (TCP6, "127.0.0.1", 0xB862, True, Entry(1002, 9963)),
        (TCP6, "::1", 0xC018, False, Entry(1003, 9962)),
        (TCP, "127.0.0.1", 0xB858, False, Entry(0, 0)),
        (TCP, "127.0.0.1", 0xB857, False, None),
    ],
)
def test_the_table_tells_whose_socket_is_at_the_other_end(
    table: str, address: str, port: int, mapped: bool, entry: Entry | None
) -> None:
    peer = address_in_table(address, port, mapped=mapped)
    ours = address_in_table(address, 0x48BE, mapped=mapped)
    assert find(table, peer, ours) == entry


@LITTLE_ENDIAN
def test_our_own_end_is_not_taken_for_the_other() -> None:
    assert find(TCP, address_in_table("127.0.0.1", 0x48BE), address_in_table("127.0.0.1", 0xB856)) == Entry(1000, 9958)


def test_only_listening_sockets_hold_a_port() -> None:
    assert listeners(TCP, 0x48BE) == {9956}
    assert listeners(TCP, 0xB856) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestHere:
    def test_our_own_connection_is_welcome(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            accepted, peer = server.accept()
            with accepted:
                assert may_connect(peer, accepted.getsockname())

    def test_an_ipv6_socket_may_speak_ipv4(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6) as client:
            client.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
            accepted, peer = server.accept()
            with accepted:
                assert may_connect(peer, accepted.getsockname())

    def test_who_hung_up_before_we_looked_is_refused_although_the_kernel_says_root(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            client.send(b"a request")
            accepted, peer = server.accept()
            client.close()
            with accepted:
                assert not may_connect(peer, accepted.getsockname())

    def test_another_user_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if os.getuid() != 0:
            pytest.skip("only root can become somebody else")
        with socket.create_server(("127.0.0.1", 0)) as server:
            os.seteuid(65534)
            try:
                client = socket.create_connection(server.getsockname())
            finally:
                os.seteuid(0)
            accepted, peer = server.accept()
            with client, accepted:
                assert not may_connect(peer, accepted.getsockname())

    def test_a_computer_far_away_is_not_another_user_of_this_one(self) -> None:
        assert may_connect(("192.0.2.1", 40000), ("192.0.2.2", 18622))
        assert not may_connect(("127.0.0.1", 1), ("127.0.0.1", 2))

    def test_the_holder_of_a_port_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert f"(process {os.getpid()})" in holder(server.getsockname()[1])
        assert holder(1) == ""

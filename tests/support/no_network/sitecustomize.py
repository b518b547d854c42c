"""Refuses every connection beyond this machine, in the test process and in each Python process that it starts."""

import ipaddress
import socket

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


def is_local(address):
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse(address):
    raise ConnectionRefusedError(f"the tests may not reach beyond this machine, but something asked for {address}")


def connect(self, address):
    return _connect(self, address) if is_local(address) else refuse(address)


def connect_ex(self, address):
    return _connect_ex(self, address) if is_local(address) else refuse(address)


socket.socket.connect = connect
socket.socket.connect_ex = connect_ex

"""What a process of the load does while it is root in its container, and then no more.

The ends of sessions need addresses of their own (NET_ADMIN), and the pump must run when it is due (SYS_NICE); the run's
folder belongs to whoever started the run. On the process stage nothing of this is needed: all of 127.0.0.0/8 is there,
and the process is its owner's already.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from ipaddress import IPv4Address

from drills.errors import BadInput, CannotRun

OWNER = "DRILLS_OWNER"
# linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h
NETLINK_ROUTE, RTM_NEWADDR, NLMSG_ERROR = 0, 20, 2
REQUEST_ACK_CREATE = 0x1 | 0x4 | 0x400
IFA_ADDRESS, IFA_LOCAL = 1, 2
EEXIST = 17
ANSWER_BYTES = 1 << 16
# all of them in host order, as the kernel reads them
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, interface
_ATTRIBUTE = struct.Struct("=HH4s")  # rtattr: length, type, an IPv4 address
_ERROR = struct.Struct("=i")  # nlmsgerr: the error number, negated


def give_addresses(first: str, count: int) -> None:
    """Give this network namespace's own interface so many more addresses; those that are there already may be.

    Raises CannotRun where the kernel refuses one. Loopback addresses need not be given.
    """
    if IPv4Address(first).is_loopback:
        return
    interface = _interface()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as kernel:
        kernel.settimeout(5.0)
        for number in range(count):
            address = IPv4Address(first) + number
            kernel.send(_new_address(interface, address.packed))
            error = _refusal(kernel.recv(ANSWER_BYTES))
            if error not in (0, EEXIST):
                raise CannotRun(f"{address} cannot be given to the load: {os.strerror(error)}")


def _interface() -> int:
    """The number of the interface that is not loopback; a container on one network has one."""
    names = [(index, name) for index, name in socket.if_nameindex() if name != "lo"]
    if not names:
        raise CannotRun("the load has no network interface")
    return names[0][0]


def _new_address(interface: int, packed: bytes) -> bytes:
    body = _ADDRESS.pack(socket.AF_INET, 32, 0, 0, interface)
    body += _ATTRIBUTE.pack(_ATTRIBUTE.size, IFA_LOCAL, packed) + _ATTRIBUTE.pack(_ATTRIBUTE.size, IFA_ADDRESS, packed)
    return _HEADER.pack(_HEADER.size + len(body), RTM_NEWADDR, REQUEST_ACK_CREATE, 1, 0) + body


def _refusal(answer: bytes) -> int:
    """The error number of an acknowledgement, 0 for none."""
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    return -_ERROR.unpack_from(answer, _HEADER.size)[0] if kind == NLMSG_ERROR else 0


def owned() -> None:
    """Become whoever ``DRILLS_OWNER`` (uid:gid) names, for good; nothing to do where nobody is named."""
    text = os.environ.get(OWNER, "")
    if not text:
        return
    found = re.fullmatch(r"([0-9]{1,10}):([0-9]{1,10})", text)
    if found is None:
        raise BadInput(f"{OWNER}: found {text!r}, expected uid:gid")
    uid, gid = int(found[1]), int(found[2])
    if os.getuid() == 0 and uid != 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)

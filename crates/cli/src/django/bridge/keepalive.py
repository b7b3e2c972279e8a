"""A connection whose network swallows packets comes to its end within a minute; by itself libpq waits for hours.

What the project's settings say of it is left alone. Absent here: the server's side, which the request's settings see to.
"""

import contextlib
import os
import socket

# libpq's word, the system's (the second is macOS's), seconds
PROBES = (
    ("keepalives_idle", ("TCP_KEEPIDLE", "TCP_KEEPALIVE"), 30),
    ("keepalives_interval", ("TCP_KEEPINTVL",), 10),
    ("keepalives_count", ("TCP_KEEPCNT",), 3),
    ("tcp_user_timeout", ("TCP_USER_TIMEOUT",), 60_000),
)


def keep_alive(raw):
    with contextlib.suppress(Exception):  # as it was, then
        read = getattr(raw.info, "get_parameters", None)
        given = read() if read else raw.info.dsn_parameters  # psycopg 3, else 2
        if given.get("keepalives") == "0":
            return
        with socket.socket(fileno=os.dup(raw.fileno())) as same:
            if same.family not in (socket.AF_INET, socket.AF_INET6):
                return
            for word, names, value in PROBES:
                option = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
                if option is not None and word not in given:
                    same.setsockopt(socket.IPPROTO_TCP, option, value)

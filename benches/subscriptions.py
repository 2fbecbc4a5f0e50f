#!/usr/bin/env python3
"""Opens many subscriptions on a demo gateway: what an idle one takes, and how long a change is on its way to all of them.

    benches/subscriptions.py target/release/contacts-gateway [sockets=5000] [subscriptions on each=1] [rounds=5]

The times are those at which this process has taken a message from its socket, one after the other; it looks at what they say afterwards. Sockets
are plain ones of this process; `ulimit -n` has to allow for them, here and in the gateway.
"""
import base64
import json
import os
import re
import resource
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

CONTACT = "aM4raLqv7XbT2kW9hE3z"
WATCH = "subscription($id: ID!) { contactChanged(id: $id) { kind contact { name tags } } }"
CHANGE = "mutation($id: ID!, $tag: String!) { addContactTags(input: { contactId: $id, tags: [$tag] }) { contact { id } } }"


def frame(message):
    body = json.dumps(message).encode()
    head = bytes([0x81, 0x80 | len(body)]) if len(body) < 126 else bytes([0x81, 0xFE]) + len(body).to_bytes(2, "big")
    return head + bytes(4) + body  # a mask of zeros


def texts(data):
    """The text messages that are whole in `data`, and how many bytes all whole frames are."""
    found, at = [], 0
    while len(data) >= at + 4:
        first, length = data[at], data[at + 1]
        begins = at + 2
        if length == 126:
            length, begins = int.from_bytes(data[at + 2:at + 4], "big"), at + 4
        assert length < 126 or begins == at + 4, "no message of these is over 64 KiB"
        if len(data) < begins + length:
            break
        body = data[begins:begins + length]
        if first & 0x0F == 1:
            found.append(json.loads(body))
        assert first & 0x0F != 8, f"closed: {int.from_bytes(body[:2], 'big')} {body[2:].decode()}"
        at = begins + length
    return found, at


def subscribed(port, subscriptions):
    """A socket with its subscriptions sent."""
    opened = socket.create_connection(("127.0.0.1", port), 10)
    key = base64.b64encode(os.urandom(16)).decode()
    opened.sendall(
        f"GET /graphql HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n".encode()
    )
    said = b""
    while b"\r\n\r\n" not in said:
        said += opened.recv(4096)
    assert b" 101 " in said.split(b"\r\n")[0], said
    opened.sendall(frame({"type": "connection_init"}))
    said = said.split(b"\r\n\r\n", 1)[1]
    while not texts(said)[0]:
        said += opened.recv(4096)
    assert texts(said)[0] == [{"type": "connection_ack"}], said
    for number in range(subscriptions):
        payload = {"query": WATCH, "variables": {"id": CONTACT}}
        opened.sendall(frame({"id": str(number), "type": "subscribe", "payload": payload}))
    opened.setblocking(False)
    return opened


def take(poll, sockets, each, until):
    """What comes until each socket has as many messages: (time, bytes), the first ones of every socket.

    The demo's sandbox tells of the change, too, by a webhook: what comes a second time is read and left out.
    """
    taken, rest, heard, missing = [], {}, dict.fromkeys(sockets, 0), len(sockets) * each
    while missing:
        assert time.monotonic() < until, f"{missing} messages did not come"
        for number, _ in poll.poll(1, 512):
            data = sockets[number].recv(65536)
            assert data, "a socket was closed"
            at = time.perf_counter()
            data = rest.pop(number, b"") + data
            end = whole = 0
            while len(data) >= end + 4:
                length = int.from_bytes(data[end + 2:end + 4], "big") + 4 if data[end + 1] == 126 else data[end + 1] + 2
                if len(data) < end + length:
                    break
                whole += data.find(b'"next"', end, end + length) >= 0  # not a ping
                end += length
            if end < len(data):
                rest[number] = data[end:]
            if whole and heard[number] < each:
                missing -= min(whole, each - heard[number])
                taken.append((at, data[:end]))
            heard[number] += whole
    return taken


def drain(poll, sockets):
    """Reads until nothing came for half a second."""
    while found := poll.poll(0.5, 512):
        for number, _ in found:
            assert sockets[number].recv(65536), "a socket was closed"


def get(url, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    return urllib.request.urlopen(request, timeout=60).read().decode()


def cpu(pid):
    """Seconds of processor time that a process has taken."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) * 1024


def main(binary, count=5000, each=1, rounds=5):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gateway = subprocess.Popen([binary, "demo", "--port", "0", "--sandbox-port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        port = next(int(found[1]) for line in gateway.stdout if (found := re.search(r"GraphQL\s+http://[^:]+:(\d+)/", line)))
        url = f"http://127.0.0.1:{port}"
        get(f"{url}/graphql", {"query": "query($id: ID!) { contact(id: $id) { name tags } }", "variables": {"id": CONTACT}})
        before = rss(gateway.pid)
        poll, sockets = select.epoll(), {}
        for _ in range(count):
            opened = subscribed(port, each)
            sockets[opened.fileno()] = opened
            poll.register(opened, select.EPOLLIN)
        while f"gateway_subscriptions {count * each}\n" not in get(f"{url}/metrics"):
            time.sleep(0.1)
        time.sleep(2)
        idle = rss(gateway.pid)
        print(f"{count * each} idle subscriptions on {count} sockets: {(idle - before) / count / each / 1024:.1f} KiB each, {idle >> 20} MiB in all")

        for number in range(rounds):
            drain(poll, sockets)
            body = {"query": CHANGE, "variables": {"id": CONTACT, "tag": f"tag-{number}"}}
            spent, began = cpu(gateway.pid), time.perf_counter()
            change = threading.Thread(target=get, args=(f"{url}/graphql", body))
            change.start()
            taken = take(poll, sockets, each, time.monotonic() + 20)
            change.join()
            spent = cpu(gateway.pid) - spent
            messages = [(at - began, said) for at, data in taken for said in texts(data)[0] if said["type"] != "ping"]
            assert all(f"tag-{number}" in said["payload"]["data"]["contactChanged"]["contact"]["tags"] for _, said in messages)
            times = sorted(at * 1000 for at, _ in messages)[:count * each]
            print(f"a change reaches the first of {len(times)} after {times[0]:.0f} ms, half of them after {statistics.median(times):.0f} ms, the last after {times[-1]:.0f} ms; it takes the gateway {spent * 1000:.0f} ms of processor time")
    finally:
        gateway.terminate()
        print(f"ends with {gateway.wait(15)}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

#!/usr/bin/env python3
"""Opens many subscriptions on a demo gateway: what an idle one takes, and how long a change is on its way to all of them.

    benches/subscriptions.py target/release/contacts-gateway [sockets=5000] [subscriptions on each=1] [rounds=5]

The times are those at which this process has read a message, and it reads them one after the other: it is slower than the gateway. Sockets are
plain ones of this process; `ulimit -n` has to allow for them, here and in the gateway.
"""
import asyncio
import base64
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
import urllib.request

CONTACT = "aM4raLqv7XbT2kW9hE3z"
WATCH = "subscription($id: ID!) { contactChanged(id: $id) { kind contact { name tags } } }"
CHANGE = "mutation($id: ID!, $tag: String!) { addContactTags(input: { contactId: $id, tags: [$tag] }) { contact { id } } }"


def frame(message):
    body = json.dumps(message).encode()
    head = bytes([0x81, 0x80 | len(body)]) if len(body) < 126 else bytes([0x81, 0xFE]) + len(body).to_bytes(2, "big")
    return head + bytes(4) + body  # a mask of zeros


async def hear(reader):
    """The next message; what is no text is passed over."""
    while True:
        first, length = await reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await reader.readexactly(8), "big")
        body = await reader.readexactly(length)
        if first & 0x0F == 1:
            return json.loads(body)
        if first & 0x0F == 8:
            raise EOFError(f"closed: {int.from_bytes(body[:2], 'big')} {body[2:].decode()}")


async def socket(port, subscriptions):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /graphql HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head.split(b"\r\n")[0], head
    writer.write(frame({"type": "connection_init"}))
    assert (await hear(reader))["type"] == "connection_ack"
    for number in range(subscriptions):
        payload = {"query": WATCH, "variables": {"id": CONTACT}}
        writer.write(frame({"id": str(number), "type": "subscribe", "payload": payload}))
    return reader, writer


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


async def main(binary, sockets=5000, each=1, rounds=5):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gateway = subprocess.Popen([binary, "demo", "--port", "0", "--sandbox-port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        port = next(int(found[1]) for line in gateway.stdout if (found := re.search(r"GraphQL\s+http://[^:]+:(\d+)/", line)))
        url = f"http://127.0.0.1:{port}"
        get(f"{url}/graphql", {"query": "query($id: ID!) { contact(id: $id) { name tags } }", "variables": {"id": CONTACT}})
        before = rss(gateway.pid)
        open_ones = []
        while len(open_ones) < sockets:
            some = min(200, sockets - len(open_ones))
            open_ones += await asyncio.gather(*(socket(port, each) for _ in range(some)))
        count = sockets * each
        while f"gateway_subscriptions {count}\n" not in await asyncio.to_thread(get, f"{url}/metrics"):
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        idle = rss(gateway.pid)
        print(f"{count} idle subscriptions on {sockets} sockets: {(idle - before) / count / 1024:.1f} KiB each, {idle >> 20} MiB in all")

        for number in range(rounds):
            async def told(reader):
                times = []
                for _ in range(each):
                    assert (await hear(reader))["type"] == "next"
                    times.append(time.perf_counter())
                return times
            waiting = [asyncio.create_task(told(reader)) for reader, _ in open_ones]
            await asyncio.sleep(0.5)
            body = {"query": CHANGE, "variables": {"id": CONTACT, "tag": f"tag-{number}"}}
            spent, began = cpu(gateway.pid), time.perf_counter()
            change = asyncio.create_task(asyncio.to_thread(get, f"{url}/graphql", body))
            times = sorted(at - began for all_of in await asyncio.gather(*waiting) for at in all_of)
            await change
            spent = cpu(gateway.pid) - spent
            ms = lambda part: times[min(len(times) - 1, int(len(times) * part))] * 1000
            print(f"a change reaches the first after {ms(0):.0f} ms, half of them after {statistics.median(times) * 1000:.0f} ms, the last after {ms(1):.0f} ms; it takes the gateway {spent * 1000:.0f} ms of processor time")
    finally:
        gateway.terminate()
        print(f"ends with {gateway.wait(15)}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))

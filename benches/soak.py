#!/usr/bin/env python3
"""Asks a gateway for a million different contacts, then a new one with a million different documents, and watches its memory.

Every cache is small (8 MiB each unless told otherwise) and nothing runs out, so that the sizes alone keep the memory
bounded. Prints a table of resident megabytes, one row every 50,000; ends with 1 when the memory of the last quarter is above that of the quarter before.
Needs Linux and Node.js; stays on loopback, stops by itself, and ends only what it started.
"""
import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from load import HERE, ROOT, Server, free_port

CONNECTIONS = 16
# Requests that are sent at once on a connection: the time goes to the gateway, not to waiting.
AT_ONCE = 16
PROFILE = """query Profile($id: ID!) { contact(id: $id) { id name email phone tags
  tasks { id title status dueDate } notes { id note dateCreated } appointments { id title startTime } } }"""


def ask_for_contact(number):
    return json.dumps({"query": PROFILE, "variables": {"id": f"c{number:019d}"}})


def ask_with_document(number):
    # One contact, that is kept; the document is new each time, for whoever compares text or meaning.
    query = f'query Q{number} {{ contact(id: "c0000000000000000000") {{ a{number}: name email tasks {{ t{number}: title }} }} }}'
    return json.dumps({"query": query})


class Callers:
    """So many connections that share the numbers of a step among them."""

    def __init__(self, port, ask):
        self.ask, self.trouble = ask, None
        self.sockets = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(CONNECTIONS)]

    def step(self, numbers, until):
        shares = [numbers[n::CONNECTIONS] for n in range(CONNECTIONS)]
        threads = [threading.Thread(target=self.run, args=pair + (until,)) for pair in zip(self.sockets, shares)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.trouble:
            raise SystemExit(self.trouble)

    def run(self, connection, share, until):
        try:
            with connection.makefile("rb") as answers:
                for start in range(0, len(share), AT_ONCE):
                    if self.trouble:
                        return
                    if time.monotonic() > until:
                        raise TimeoutError("out of time: --most-seconds")
                    some = share[start : start + AT_ONCE]
                    connection.sendall(b"".join(map(self.message, some)))
                    for _ in some:
                        self.read(answers)
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def message(self, number):
        body = self.ask(number)
        return f"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()

    @staticmethod
    def read(answers):
        status, length = answers.readline(), 0
        while (line := answers.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = answers.read(length)
        if b" 200 " not in status or b'"errors"' in body or b'"email"' not in body:
            raise ValueError(f"{status!r} {body[:300]!r}")

    def close(self):
        for one in self.sockets:
            one.close()


def soak(options, folder, what, ask, upstream_port):
    port = free_port()
    env = {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_UPSTREAM_URL": f"http://127.0.0.1:{upstream_port}",
        "GATEWAY_LOCATION_ID": "LOC_SOAK000000000000",
        "GATEWAY_API_KEY": "pit-soak",
        "GATEWAY_LOG": "error",
        "GATEWAY_CACHE_SIZE": options.cache,
        "GATEWAY_RESPONSE_CACHE_SIZE": options.cache,
        "GATEWAY_DOCUMENT_CACHE_SIZE": options.cache,
    }
    env |= {f"GATEWAY_TTL_{part}": "1h" for part in ("CONTACT", "TASKS", "NOTES", "APPOINTMENTS")}
    gateway = Server("gateway", [pathlib.Path(options.gateway).resolve(), "serve"], port, folder / f"{what}.log", env)
    try:
        until = time.monotonic() + options.most_seconds
        seen = [(0, gateway.resident_mb(), 0.0)]
        begun = time.monotonic()
        callers = Callers(port, ask)
        for start in range(0, options.number, options.every):
            end = min(start + options.every, options.number)
            callers.step(range(start, end), until)
            seen.append((end, gateway.resident_mb(), time.monotonic() - begun))
            print(f"{what}: {end:,}, {seen[-1][1]:.1f} MB, {seen[-1][2]:.0f} s", file=sys.stderr, flush=True)
        callers.close()
        status = pathlib.Path(f"/proc/{gateway.process.pid}/status").read_text()
        return seen, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
    finally:
        gateway.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("number", type=int, nargs="?", default=1_000_000, help="how many contacts, and how many documents")
    parser.add_argument("--every", type=int, default=50_000, help="requests between two rows")
    parser.add_argument("--cache", default="8MiB", help="size of each cache")
    parser.add_argument("--growth", type=float, default=5.0, help="percent that the last quarter may be above the one before")
    parser.add_argument("--most-seconds", type=int, default=3600, help="for each of the two")
    parser.add_argument("--gateway", default=os.environ.get("GATEWAY_BIN", ROOT / "target" / "release" / "contacts-gateway"))
    options = parser.parse_args()
    if not os.access(options.gateway, os.X_OK):
        raise SystemExit(f"{options.gateway} is not there: cargo build --release --bin contacts-gateway")
    with tempfile.TemporaryDirectory(prefix="gateway-soak-") as folder:
        folder = pathlib.Path(folder)
        port = free_port()
        upstream = Server("upstream", ["node", str(HERE / "upstream.mjs")], port, folder / "upstream.log", {"PORT": str(port)})
        try:
            contacts, most_contacts = soak(options, folder, "contacts", ask_for_contact, port)
            documents, most_documents = soak(options, folder, "documents", ask_with_document, port)
        finally:
            upstream.stop()
    print(f"\nResident MB of the gateway, each cache bounded to {options.cache}\n")
    print("| asked so far | distinct contacts | distinct documents |\n|---|---|---|")
    for (number, one, _), (_, two, _) in zip(contacts, documents):
        print(f"| {number:,} | {one:.1f} | {two:.1f} |")
    print(f"| most at any time | {most_contacts:.1f} | {most_documents:.1f} |\n")
    print(f"Contacts took {contacts[-1][2]:.0f} s, documents {documents[-1][2]:.0f} s.")
    grew = []
    for what, seen in (("contacts", contacts), ("documents", documents)):
        # Below some rows the caches are still filling: then there is nothing to judge. Quarters and not rows: an allocator takes
        # what it needs in steps.
        quarter = len(seen) // 4
        before, last = (statistics.median(mb for _, mb, _ in seen[-n * quarter :][:quarter]) for n in (2, 1))
        if len(seen) >= 10 and last > before * (1 + options.growth / 100):
            grew.append(f"{what}: from {before:.1f} MB in the third quarter to {last:.1f} MB in the last")
    if grew:
        raise SystemExit("The memory still grows: " + "; ".join(grew))


if __name__ == "__main__":
    main()

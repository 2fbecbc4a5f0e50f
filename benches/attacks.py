"""The attacks of benches/hostile.py: each is tried once when it is called, and tells how it was answered.

They are few and nasty instead of many: what they cost has to be the gateway's time and not this machine's.
"""
import base64
import gzip
import hashlib
import itertools
import json
import os
import random
import re
import socket
import struct
import threading
import time
import urllib.parse

NUMBERS = itertools.count(1)
LINGER = struct.pack("ii", 1, 0)  # closes with a reset


def request(method="POST", path="/graphql", body=b"", headers=(), key=None, kind="application/json"):
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"content-type: {kind}"] * bool(kind) + [f"authorization: Bearer {key}"] * bool(key) + list(headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def asked(query, key, variables=None, **more):
    return request(body=json.dumps({"query": query, "variables": variables or {}} | more).encode(), key=key)


def answer(connection, most=5):
    """The status of the next answer, or how the connection ended."""
    connection.settimeout(most)
    try:
        head = connection.recv(4096)
    except TimeoutError:
        return "silence"
    except OSError:
        return "cut off"
    if not head.startswith(b"HTTP/1.1 "):
        return "other bytes" if head else "cut off"
    code = re.search(rb'"code":"(\w+)"', head)
    return head[9:12].decode("latin-1") + (f" {code[1].decode()}" if code else "")


def tried(port, data, most=5):
    with socket.create_connection(("127.0.0.1", port), most) as connection:
        connection.settimeout(most)
        try:
            connection.sendall(data)
        except OSError:
            pass  # refused while it was sent: the answer may be there all the same
        return answer(connection, most)


def documents(key):
    """Documents and variables that are worth more work than bytes."""
    doubling = "query { contacts(first: 1) { nodes { ...F0 } } } " + " ".join(
        f"fragment F{n} on Contact {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60)) + " fragment F60 on Contact { id }"
    circle = "query { contacts(first: 1) { nodes { ...A } } } fragment A on Contact { ...B } fragment B on Contact { ...A }"
    nested = '{ contacts(search: ' + "[{a:" * 20000 + "1" + "}]" * 20000 + ") { nodes { id } } }"
    deep = "{ contacts { nodes {" + " tasks { contact {" * 3000 + " id " + "} }" * 3000 + "} } }"
    many = "{ " + " ".join(f'a{n}: contact(id: "c{n}") {{ id }}' for n in range(4000)) + " }"
    schema = "{ __schema { types { " + "fields { type { " * 200 + "name" + " } }" * 200 + " } } }"
    costly = "{ contacts(first: 500) { nodes { tasks { contact { notes { contact { tasks { id } appointments { id } } } } } } } }"
    by_id = "query($id: ID!) { contact(id: $id) { id } }"
    return {
        "fragments that double": asked(doubling, key),
        "fragments in a circle": asked(circle, key),
        "nested literals": asked(nested, key),
        "nested fields": asked(deep, key),
        "aliases": asked(many, key),
        "directives": asked("{ __typename " + "@include(if: true) " * 9000 + "}", key),
        "commas and comments": asked("{" + "," * 100000 + "#\n" * 40000 + "__typename}", key),
        "introspection in circles": asked(schema, key),
        "costly operation": asked(costly, key),
        "long list": asked("query($ids: [ID!]!) { contactsByIds(ids: $ids) { id } }", key, {"ids": ["x"] * 25000}),
        "nested variables": request(body=b'{"query":"{__typename}","variables":{"a":' + b"[" * 60000 + b"]" * 60000 + b"}}", key=key),
        "an id as a path": asked(by_id, key, {"id": "../../oauth/token?x="}),
        "batch": request(body=b"[" + b",".join([b'{"query":"{__typename}"}'] * 500) + b"]", key=key),
        "no UTF-8": request(body=b'{"query":"{ __typename #\xff\xfe\xc0 }"}', key=key),
        "gzip bomb": request(body=gzip.compress(b" " * 50_000_000), headers=["content-encoding: gzip"], key=key),
        "form": request(body=b"query=mutation{x}", kind="application/x-www-form-urlencoded", key=key),
        "mutation by GET": request("GET", "/graphql?query=" + urllib.parse.quote('mutation { deleteContact(input: { id: "c" }) { deletedId } }'), kind=None, key=key),
        "token without a signature": asked("{__typename}", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwibG9jYXRpb25zIjoiKiJ9."),
        "many headers": request(headers=[f"x-{n}: {n}" for n in range(3000)], key=key),
        "large header": request(headers=["x-large: " + "a" * 300_000], key=key),
        "long address": request("GET", "/graphql?query=" + "a" * 200_000, kind=None),
        "two lengths": request(headers=["content-length: 3", "transfer-encoding: chunked"], body=b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        "event that nobody signed": request(path="/webhooks/contacts", body=b'{"type":"ContactUpdate","webhookId":"w","id":"c"}'),
        "event with nonsense": request(path="/webhooks/contacts", body=os.urandom(200_000), headers=["x-ghl-signature: " + "A" * 88]),
        "random bytes": os.urandom(4000),
        "an address out of its folder": request("GET", "/operations/..%2f..%2fmetrics?variables=%7B", kind=None),
    }


def different(port, key):
    """Documents that are valid and never the same, some of them by their hash."""
    def named(text):
        sent = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}}
        return asked(text, key, extensions=sent)

    def fresh(size=40):
        number = next(NUMBERS)
        return f"query Q{number} {{ " + " ".join(f"a{number}_{n}: __typename" for n in range(min(size, 18))) + " }"

    wrong = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    return {
        "documents never seen": lambda: tried(port, asked(fresh(), key)),
        "hashes never seen": lambda: tried(port, named(fresh())),
        "hash of another text": lambda: tried(port, asked(fresh(), key, extensions=wrong)),
        "keys at random": lambda: tried(port, asked("{__typename}", "cgk_" + base64.urlsafe_b64encode(os.urandom(24)).decode())),
        "ids at random": lambda: tried(port, asked("query($id: ID!) { contact(id: $id) { id } }", key, {"id": os.urandom(10).hex()})),
        "large pages": lambda: tried(port, asked(
            "query($q: String) { contacts(first: 100, search: $q) { nodes { id tasks { id } notes { id } } } }",
            key, {"q": random.choice("abcdefghijklmnopqrstuvwxyz")}), 30),
    }


class Held:
    """Connections that are kept open and fed a byte at a time, at most `most` of them."""

    def __init__(self, port, most, begins, drop):
        self.port, self.most, self.begins, self.drop, self.open = port, most, begins, drop, []

    def __call__(self):
        if len(self.open) < self.most:
            connection = socket.create_connection(("127.0.0.1", self.port), 5)
            connection.sendall(self.begins)
            connection.setblocking(False)
            self.open.append(connection)
            return "opened"
        connection = self.open.pop(0)
        try:
            ended = connection.recv(4096)
            connection.close()
            return ended[9:12].decode("latin-1") if ended.startswith(b"HTTP/1.1 ") else "cut off"
        except BlockingIOError:
            try:
                connection.send(self.drop)
                self.open.append(connection)
                return "still open"
            except OSError:
                return "cut off"
        except OSError:
            return "cut off"

    def close(self):
        for connection in self.open:
            connection.close()
        self.open.clear()


def reset(port, data):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        connection.sendall(data)
    return "reset by the attacker"


def half_closed(port, key):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(request(key=key, body=b" " * 500)[:-400])
        connection.shutdown(socket.SHUT_WR)
        return answer(connection)


def endless(port, key):
    """A body in chunks that has no end, until it is refused."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(5)
        connection.sendall(request(headers=["transfer-encoding: chunked"], key=key).replace(b"content-length: 0\r\n", b""))
        try:
            for _ in range(64):
                connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        except OSError:
            pass
        return answer(connection)


def rapid_reset(port):
    """HTTP/2 streams that are begun and called off."""
    def frame(kind, flags, stream, payload):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    head = b"\x83\x86\x04\x08/graphql\x41\x09127.0.0.1"
    data = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
    for stream in range(1, 1001, 2):
        data += frame(1, 4, stream, head) + frame(3, 0, stream, b"\0\0\0\x08")
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(5)
        try:
            connection.sendall(data)
            while connection.recv(65536):
                pass
            return "cut off"
        except TimeoutError:
            return "silence"
        except OSError:
            return "cut off"


def websocket(port, key, messages):
    """A socket that sends these and looks at what comes first after them."""
    upgrade = ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
               "sec-websocket-protocol: graphql-transport-ws"]
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(5)
        connection.sendall(request("GET", headers=upgrade, key=key, kind=None).replace(b"content-length: 0\r\n", b""))
        head = connection.recv(4096)
        if not head.startswith(b"HTTP/1.1 101"):
            return head[9:12].decode("latin-1")
        try:
            connection.sendall(messages)
            found = b""
            while (some := connection.recv(65536)):
                found += some
                at = found.rfind(b"\x88")
                if at >= 0 and len(found) >= at + 4:
                    return f"closed {int.from_bytes(found[at + 2:at + 4], 'big')}"
        except TimeoutError:
            return "silence"
        except OSError:
            pass
        return "cut off"


def text(body):
    size = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big") if len(body) < 65536 else b"\xff" + len(body).to_bytes(8, "big")
    return b"\x81" + size + bytes(4) + body


def sockets(port, key):
    begin = text(b'{"type":"connection_init"}')
    one = {"query": "subscription { contactsChanged { kind contact { name } } }"}
    flood = begin + b"".join(text(json.dumps({"id": str(n), "type": "subscribe", "payload": one}).encode()) for n in range(500)) + text(b"nonsense")
    return {
        "socket: subscriptions, then nonsense": lambda: websocket(port, key, flood),
        "socket: message of 1 MB": lambda: websocket(port, key, begin + text(b" " * 1_000_000)),
        "socket: subscribed before it began": lambda: websocket(port, None, text(json.dumps({"id": "1", "type": "subscribe", "payload": one}).encode())),
        "socket: random frames": lambda: websocket(port, key, os.urandom(500)),
    }


def kinds(port, key):
    """Each attack by its name, with how often a second it is tried."""
    plain = {name: (lambda data=data: tried(port, data)) for name, data in documents(key).items()}
    whole = asked("{ contacts(first: 20) { nodes { id name tasks { id } } } }", key)
    begun = b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    held = {
        "slow head": Held(port, 200, b"GET / HTTP/1.1\r\nhost: a\r\n", b"x"),
        "slow body": Held(port, 100, begun + f"authorization: Bearer {key}\r\ncontent-length: 9000\r\n\r\n".encode(), b" "),
        "connection without a request": Held(port, 200, b"", b""),
        "answers that nobody reads": Held(port, 50, whole * 50, b""),
    }
    connections = {
        "reset in a head": lambda: reset(port, begun),
        "reset in a body": lambda: reset(port, whole[:-20]),
        "reset before the answer": lambda: reset(port, whole),
        "half closed": lambda: half_closed(port, key),
        "endless body": lambda: endless(port, key),
        "body of 10 GB, announced": lambda: tried(port, begun + b"content-length: 10000000000\r\n\r\n{"),
        "rapid reset": lambda: rapid_reset(port),
    }
    often = {name: 40 for name in ("documents never seen", "hashes never seen", "keys at random", "slow head", "connection without a request")}
    seldom = {"large pages": 0.5, "rapid reset": 1, "endless body": 1, "gzip bomb": 1}
    every = plain | different(port, key) | held | connections | sockets(port, key)
    return {name: (run, (often | seldom).get(name, 10)) for name, run in every.items()}


def attack(port, key, under_way, over, told):
    """Attacks while `under_way` is set, each kind in its own thread, until it is `over`; then tells what came of it."""
    os.nice(10)
    counted, lock = {}, threading.Lock()

    def keep_trying(name, run, rate):
        while not over.is_set():
            if not under_way.is_set():
                if isinstance(run, Held):
                    run.close()
                under_way.wait(0.5)
                continue
            try:
                result = run()
            except OSError as error:
                result = type(error).__name__
            with lock:
                of = counted.setdefault(name, {})
                of[result] = of.get(result, 0) + 1
            time.sleep(random.uniform(0.5, 1.5) / rate)

    threads = [threading.Thread(target=keep_trying, args=(name, *how)) for name, how in kinds(port, key).items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.send(counted)

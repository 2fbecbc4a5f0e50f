#!/usr/bin/env python3
"""Kills a gateway again and again, at random instants, while signed events come, and then looks whether it lost or doubled one.

Every event is sent until it was answered 200, the same bytes again where a kill cut the answer off. At the end each has to be in the journal
once, and done; and an automation has to have made one task and one note because of each, in a sandbox that is not killed. Ends with 1 otherwise. Needs Linux, Node.js and a built gateway; stays on loopback, stops by itself, and ends only what
it started.
"""
import argparse
import collections
import datetime
import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

from load import ROOT, free_port

SENDERS = 8
RULES = """
[[automation]]
name = "seen"
when = ["ContactUpdate", "NoteCreate", "TaskCreate"]
then = [{ create_task = { title = "Seen {{ event.webhookId }}", due_in = "1d" } }, { add_note = { note = "Seen {{ event.webhookId }}" } }]
per_hour = 1000
"""
# Makes a key pair, prints the public key as JSON, and then signs a line of JSON for each that it reads.
SIGN = """const { generateKeyPairSync, sign } = require('node:crypto');
const pair = generateKeyPairSync('ed25519');
console.log(JSON.stringify(pair.publicKey.export({ type: 'spki', format: 'pem' })));
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) =>
  console.log(sign(null, Buffer.from(JSON.parse(line)), pair.privateKey).toString('base64')));
"""


class Sandbox:
    """The upstream, and what is in it."""

    def __init__(self, options):
        self.port = free_port()
        self.process = subprocess.Popen([options.binary, "sandbox", "--port", str(self.port), "--contacts", "50"], stdout=subprocess.DEVNULL)
        while True:
            try:
                self.info = self.ask("/__sandbox/info", {})
                break
            except OSError:
                time.sleep(0.01)
        self.location = self.info["locationId"]
        self.headers = {"authorization": f"Bearer {self.info['token']}", "version": "2021-07-28"}
        rows = self.ask(f"/contacts/?locationId={self.location}&limit=50", self.headers)["contacts"]
        self.contacts = [row["id"] for row in rows]

    def ask(self, path, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def made(self, what, text):
        """How often each text that an automation made is there."""
        rows = [row for contact in self.contacts for row in self.ask(f"/contacts/{contact}/{what}", self.headers)[what]]
        return collections.Counter(row[text] for row in rows if row[text].startswith("Seen "))


def made_events(count, sandbox):
    """The bodies of so many events with their signatures, and the public key."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    kinds = ["ContactUpdate", "NoteCreate", "TaskCreate"]
    bodies = [
        json.dumps({"type": kinds[n % 3], "webhookId": f"w-{n}", "locationId": sandbox.location, "timestamp": now,
                    "id": contact, "contactId": contact})
        for n in range(count)
        for contact in [sandbox.contacts[n % len(sandbox.contacts)]]
    ]
    lines = "".join(json.dumps(body) + "\n" for body in bodies)
    signed = subprocess.run(["node", "-e", SIGN], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    return list(zip(bodies, signed[1:])), json.loads(signed[0])


class Gateway:
    """A gateway that is killed, and started anew at the same port with the same state."""

    def __init__(self, options, folder, key, rules, sandbox):
        self.port, self.process, self.starts = free_port(), None, []
        self.command = [options.binary, "serve"]
        self.log = open(folder / "gateway.log", "ab")
        settings = {"LISTEN": f"127.0.0.1:{self.port}", "UPSTREAM_URL": f"http://127.0.0.1:{sandbox.port}",
                    "LOCATION_ID": sandbox.location, "API_KEY": sandbox.info["token"], "AUTOMATIONS": str(rules), "STATE_DIR": str(folder / "state"), "WEBHOOK_KEYS": str(key), "LOG": "warn"}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        self.env = outside | {f"GATEWAY_{name}": value for name, value in settings.items()}

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen(self.command, env=self.env, stdout=self.log, stderr=self.log)
        while time.monotonic() - began < 60:
            if self.process.poll() is not None:
                raise SystemExit(f"the gateway ended by itself with {self.process.returncode}: see its log")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                self.starts.append(time.monotonic() - began)
                return
            except OSError:
                time.sleep(0.002)
        raise SystemExit("the gateway does not listen")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def listed(self, count):
        command = [self.command[0], "events", "list", "--json", "--limit", str(count)]
        return json.loads(subprocess.run(command, env=self.env, capture_output=True, text=True, check=True).stdout)


def send_all(gateway, events, turns, refused, give_up):
    while True:
        try:
            body, signature = events.pop()
        except IndexError:
            return
        turns.acquire()
        while not give_up.is_set():
            try:
                status, _ = gateway.ask("POST", "/webhooks/contacts", body.encode(), {"x-ghl-signature": signature})
            except (OSError, http.client.HTTPException):
                time.sleep(0.002)
                continue
            if status == 200:
                break
            refused[status] += 1


def run(options, folder):
    sandbox = Sandbox(options)
    try:
        return run_over(sandbox, options, folder)
    finally:
        sandbox.process.terminate()
        sandbox.process.wait()


def run_over(sandbox, options, folder):
    events, public_key = made_events(options.events, sandbox)
    key, rules = folder / "webhook.pem", folder / "automations.toml"
    key.write_text(public_key)
    rules.write_text(RULES)
    gateway = Gateway(options, folder, key, rules, sandbox)
    turns, refused, give_up = threading.Semaphore(0), collections.Counter(), threading.Event()
    ids = collections.Counter(json.loads(body)["webhookId"] for body, _ in events)
    senders = [threading.Thread(target=send_all, args=(gateway, events, turns, refused, give_up)) for _ in range(SENDERS)]
    try:
        gateway.start()
        for sender in senders:
            sender.start()
        for kill in range(options.kills):
            turns.release(max(1, options.events // options.kills))
            time.sleep(random.uniform(0, 0.08))
            gateway.kill()
            gateway.start()
            if sys.stderr.isatty():
                print(f"\r{kill + 1} kills", end="", file=sys.stderr)
        turns.release(options.events)
        for sender in senders:
            sender.join(120)
        until = time.monotonic() + 300
        while 'gateway_journal_events{state="waiting"} 0' not in gateway.ask("GET", "/metrics")[1]:
            if time.monotonic() > until:
                raise SystemExit("some events are not handled")
        rows = gateway.listed(options.events * 2)
    finally:
        give_up.set()
        if gateway.process:
            gateway.kill()
    found = collections.Counter(row["event"] for row in rows)
    states = collections.Counter(row["state"] for row in rows)
    missing, doubled = ids - found, found - ids
    wanted = collections.Counter(f"Seen {event}" for event in ids)
    made = {"tasks": sandbox.made("tasks", "title"), "notes": sandbox.made("notes", "body")}
    for what, texts in made.items():
        print(f"{sum(texts.values())} {what}: {len(wanted - texts)} missing, {len(texts - wanted)} doubled")
    starts = sorted(gateway.starts)
    print(f"{options.kills} kills, {options.events} events: {len(missing)} missing, {len(doubled)} doubled, states {dict(states)}, refused {dict(refused)}")
    print(f"started in {starts[len(starts) // 2] * 1000:.0f} ms at the median, {starts[-1] * 1000:.0f} ms at most")
    whole = all(texts == wanted for texts in made.values())
    return whole and not missing and not doubled and set(states) == {"done"} and not refused


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--binary", default=str(ROOT / "target/release/contacts-gateway"), help="default: the release build")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return 0 if run(options, pathlib.Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())

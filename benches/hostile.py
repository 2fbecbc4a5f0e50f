#!/usr/bin/env python3
"""Asks a gateway what honest callers ask while others attack it, and compares that with calm minutes of the same run.

    benches/hostile.py target/release/contacts-gateway [--minutes 60]

Calm and attack alternate, so that both have the same machine. Honest callers read a profile that is kept, profiles that mostly are not, and lists, and write, at a steady rate; benches/attacks.py has
the attacks, which run in a process of their own, niced. Ends with 1 when the gateway ended, panicked, answered anybody 500 or `INTERNAL`, failed an
honest caller (503 with `Retry-After` is counted, and is none), or needed more memory than its bound. Times are told and not judged. Needs Linux; stays on loopback, stops by
itself, and ends only what it started.
"""
import argparse
import collections
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import statistics
import string
import subprocess
import sys
import tempfile
import threading
import time

from attacks import attack
from load import free_port

PROFILE = """query Profile($id: ID!) { contact(id: $id) { id name email phone tags
  tasks { id title status dueDate } notes { id note dateCreated } appointments { id title startTime } } }"""
LIST = """query List($search: String) { contacts(first: 20, search: $search) { nodes { id name tags tasks(status: OPEN) { id title } appointments { id startTime } }
  pageInfo { endCursor hasNextPage } } }"""
TAG = "mutation Tag($id: ID!, $tag: String!) { addContactTags(input: { contactId: $id, tags: [$tag] }) { contact { id name tags } } }"
# Threads of a kind, and how often a second each of them asks.
HONEST = {"kept profile": (2, 10), "profile": (4, 5), "list": (2, 2.5), "write": (2, 2.5)}
MEMORY_MB = 192
TICK = os.sysconf("SC_CLK_TCK")


def asked(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    try:
        connection.request(method, path, body, headers or {})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def until_up(port, process):
    for _ in range(500):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with {process.returncode}")
        try:
            return asked(port, "GET", "/health/live")
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens at {port}")


def new_key(binary, name, scopes):
    printed = subprocess.run([binary, "key", "new", "--name", name, "--scopes", scopes], capture_output=True, text=True, check=True).stdout
    return printed.split()[0], printed[printed.index("[[key]]"):]


class Run:
    """A gateway over its sandbox, and what was seen of it."""

    def __init__(self, binary, folder):
        self.sandbox_port, self.port = free_port(), free_port()
        self.log = folder / "gateway.log"
        command = [binary, "sandbox", "--port", str(self.sandbox_port), "--contacts", "3000", "--latency-ms", "20", "--jitter-ms", "5"]
        self.sandbox = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until_up(self.sandbox_port, self.sandbox)
        info = json.loads(asked(self.sandbox_port, "GET", "/__sandbox/info"))
        upstream = {"authorization": f"Bearer {info['token']}", "version": "2021-07-28"}
        self.ids, after = [], ""
        while len(self.ids) < 3000:
            page = json.loads(asked(self.sandbox_port, "GET", f"/contacts/?locationId={info['locationId']}&limit=100{after}", None, upstream))
            self.ids += [row["id"] for row in page["contacts"]]
            after = f"&startAfter={page['meta']['startAfter']}&startAfterId={page['meta']['startAfterId']}"
        self.key, honest = new_key(binary, "honest", "contacts.readonly,contacts.write")
        self.stranger, other = new_key(binary, "attacker", "contacts.readonly")
        (folder / "keys.toml").write_text(honest + other)
        (folder / "hook.pem").write_text("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAi2jeuMmxY/V5EqqSjvdzQHQKPuN4AvgxGYQlMbW4KXM=\n-----END PUBLIC KEY-----\n")
        settings = {"LISTEN": f"127.0.0.1:{self.port}", "UPSTREAM_URL": f"http://127.0.0.1:{self.sandbox_port}", "LOCATION_ID": info["locationId"], "API_KEY": info["token"],
                    "AUTH": "keys", "KEYS_FILE": str(folder / "keys.toml"), "WEBHOOK_KEYS": str(folder / "hook.pem"), "STATE_DIR": str(folder / "state"),
                    "REQUEST_TIMEOUT": "10s", "LOG": "warn", "CACHE_SIZE": "8MiB", "RESPONSE_CACHE_SIZE": "8MiB", "DOCUMENT_CACHE_SIZE": "8MiB"}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        env = outside | {f"GATEWAY_{name}": value for name, value in settings.items()}
        with open(self.log, "wb") as log:
            self.gateway = subprocess.Popen([binary, "serve"], env=env, stdout=log, stderr=log)
        until_up(self.port, self.gateway)
        self.cycle, self.phase, self.over = 0, None, threading.Event()
        self.times = collections.defaultdict(list)  # of (cycle, phase, kind)
        self.failures, self.refused = collections.Counter(), collections.Counter()
        self.lock = threading.Lock()

    def body(self, kind):
        contact = self.ids[0] if kind == "kept profile" else random.choice(self.ids[1:])
        if kind == "list":
            return {"query": LIST, "variables": {"search": random.choice(string.ascii_lowercase)}}
        if kind == "write":
            return {"query": TAG, "variables": {"id": contact, "tag": f"seen-{random.randrange(5)}"}}
        return {"query": PROFILE, "variables": {"id": contact}}

    def ask_on(self, kind, rate):
        """Asks what `kind` asks, on a connection that is kept, until it is over."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        connection.connect()
        while not self.over.is_set():
            time.sleep(random.uniform(0.5, 1.5) / rate)
            body, place = json.dumps(self.body(kind)), (self.cycle, self.phase, kind)
            began = time.perf_counter()
            try:
                connection.request("POST", "/graphql", body, headers)
                response = connection.getresponse()
                text = response.read().decode()
                took = time.perf_counter() - began
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                with self.lock:
                    self.failures[(place[1], kind, type(error).__name__)] += 1
                continue
            with self.lock:
                if response.status == 503 and response.getheader("retry-after"):
                    self.refused[(place[1], kind)] += 1
                elif response.status != 200 or '"errors"' in text:
                    code = re.search(r'"code":"\w+"|$', text)[0]
                    self.failures[(place[1], kind, f"{response.status} {code}")] += 1
                else:
                    self.times[place].append(took * 1000)

    def resident_mb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.gateway.pid}/status").read_text())[1]) / 1024


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def run(options, folder):
    seen = Run(options.binary, folder)
    under_way, over = multiprocessing.Event(), multiprocessing.Event()
    told, tells = multiprocessing.Pipe(duplex=False)
    attacker = multiprocessing.Process(target=attack, args=(seen.port, seen.stranger, under_way, over, tells))
    callers = [threading.Thread(target=seen.ask_on, args=(kind, rate)) for kind, (threads, rate) in HONEST.items() for _ in range(threads)]
    memory, counted = [], {}
    shares = {"calm": collections.Counter(), "attack": collections.Counter()}
    try:
        attacker.start()
        pids = {"gateway": seen.gateway.pid, "sandbox": seen.sandbox.pid, "attackers": attacker.pid, "honest": os.getpid()}
        for caller in callers:
            caller.start()
        begun, cycle = time.monotonic(), 0
        end = begun + options.minutes * 60
        calm = min(60, options.minutes * 12)
        while time.monotonic() < end and seen.gateway.poll() is None:
            seen.cycle = cycle = cycle + 1
            for phase, seconds in (("calm", calm), ("attack", calm * 4)):
                before, since = {name: cpu(pid) for name, pid in pids.items()}, time.monotonic()
                seen.phase = phase
                (under_way.set if phase == "attack" else under_way.clear)()
                while time.monotonic() < min(since + seconds, end) and seen.gateway.poll() is None:
                    time.sleep(1)
                    memory.append(seen.resident_mb())
                shares[phase].update({name: cpu(pid) - before[name] for name, pid in pids.items()} | {"seconds": time.monotonic() - since})
            print(f"cycle {cycle}: {memory[-1]:.1f} MB, honest failures {sum(seen.failures.values())}, refused {sum(seen.refused.values())}", file=sys.stderr, flush=True)
        metrics = asked(seen.port, "GET", "/metrics")
    finally:
        over.set()
        under_way.set()
        seen.over.set()
        if attacker.pid:
            if told.poll(60):
                counted = told.recv()
            attacker.join(30)
            attacker.kill()
        for caller in callers:
            if caller.ident:
                caller.join()
        alive = seen.gateway.poll() is None
        seen.gateway.send_signal(signal.SIGTERM) if alive else None
        try:
            code = seen.gateway.wait(40)
        except subprocess.TimeoutExpired:
            seen.gateway.kill()
            code = "no end within 40 s of SIGTERM"
        seen.sandbox.terminate()
        seen.sandbox.wait()
    return report(seen, memory, counted, shares, metrics, alive, code)


def report(seen, memory, counted, shares, metrics, alive, code):
    def percentile(times, share):
        return sorted(times)[min(len(times) - 1, int(len(times) * share))] if times else float("nan")

    print("\n| honest callers, ms | asked | p50 calm | p50 attack | p99 calm | p99 attack | p99, attack to calm | of cycles: median (least-most) |\n|---|---|---|---|---|---|---|---|")
    for kind in HONEST:
        of = {phase: [ms for (_, at, what), times in seen.times.items() if (at, what) == (phase, kind) for ms in times] for phase in ("calm", "attack")}
        ratios = []
        for cycle in range(1, seen.cycle + 1):
            calm, attacked = (seen.times.get((cycle, phase, kind), []) for phase in ("calm", "attack"))
            if calm and attacked:
                ratios.append(percentile(attacked, 0.99) / percentile(calm, 0.99))
        p50, p99 = ([percentile(of[phase], share) for phase in ("calm", "attack")] for share in (0.5, 0.99))
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else ""
        print(f"| {kind} | {len(of['calm']) + len(of['attack']):,} | {p50[0]:.1f} | {p50[1]:.1f} | {p99[0]:.1f} | {p99[1]:.1f} | {p99[1] / p99[0]:.2f} | {spread} |")
    print("\n| attack | tried | answered |\n|---|---|---|")
    for name, results in sorted(counted.items()):
        print(f"| {name} | {sum(results.values()):,} | {', '.join(f'{result}: {n:,}' for result, n in sorted(results.items(), key=lambda one: -one[1]))} |")
    print("\n| processor, shares of one | gateway | sandbox | attackers | honest |\n|---|---|---|---|---|")
    for phase, used in shares.items():
        print(f"| {phase} | " + " | ".join(f"{used[name] / max(used['seconds'], 1):.3f}" for name in ("gateway", "sandbox", "attackers", "honest")) + " |")
    points = [memory[min(len(memory) - 1, len(memory) * n // 12)] for n in range(13)]
    print(f"\nResident MB over time: {', '.join(f'{mb:.1f}' for mb in points)}; most {max(memory):.1f}, bound {MEMORY_MB}")
    print("Refused by guard: " + ", ".join(re.findall(r'gateway_refused_total\{guard="([^"]+"\} \d+)', metrics)).replace('"}', ""))
    print(f"Honest callers refused with 503 and Retry-After: {dict(seen.refused)}; failed: {sum(seen.failures.values())}")
    log = seen.log.read_text(errors="replace")
    wrong = [f"an honest {kind} failed {n} times while {phase}: {what}" for (phase, kind, what), n in seen.failures.items()]
    wrong += [f"{name} was answered {result} {n} times" for name, results in counted.items() for result, n in results.items() if result.startswith("5") and not result.startswith("503") or "INTERNAL" in result]
    wrong += ["nothing was attacked"] * (not counted) + ["the gateway ended by itself"] * (not alive) + ["something panicked: " + log[:2000]] * ("panicked" in log or "INTERNAL" in log)
    wrong += [f"the gateway ended with {code} after SIGTERM"] * (code != 0) + [f"it took {max(memory):.0f} MB"] * (max(memory) > MEMORY_MB)
    print("\n".join(wrong) or "Nothing of it did harm.")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gateway-hostile-") as folder:
        return run(options, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Compares the gateway under load with the least that a server costs, and with two peers. `just bench` builds and runs it.

What is measured has processor 0 for itself; the load and the upstream share processor 1. Rounds are interleaved and
ratios taken within a round, so that what else the machine does hits all alike. Needs Linux, wrk and Node.js; all
traffic stays on loopback; it stops by itself, and ends only what it started.

The gateway asks for a key of every caller, the peers ask for nothing. All three get the same bytes to say.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
LATENCY_MS = 50
# Nothing shall run out while it is measured.
TTL_SECONDS = 3600
PARTS = """
  tasks { id title status dueDate }
  notes { id note dateCreated }
  appointments { id title status startTime endTime }
"""
PROFILE = f"query Profile($id: ID!) {{ contact(id: $id) {{ id name email phone company tags timezone address {{ city state }} {PARTS} }} }}"
LIST = f"query List {{ contacts(first: 50) {{ nodes {{ id name company {PARTS} }} }} }}"


def profile(contact):
    return json.dumps({"query": PROFILE, "variables": {"id": contact}}).encode()


LIST_BODY = json.dumps({"query": LIST}).encode()


def note(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens on a port of loopback."""

    def __init__(self, name, command, port, log, env=None, cpu=None):
        self.name, self.port = name, port
        pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            command, env={**os.environ, **(env or {})}, stdout=self.log, stderr=self.log, preexec_fn=pin
        )
        try:
            self.wait_for_port(log)
        except BaseException:
            self.stop()
            raise

    def wait_for_port(self, log):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise SystemExit(f"{self.name} did not start:\n{pathlib.Path(log).read_text(errors='replace')[-2000:]}")

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Bench:
    # What the environment of a gateway has besides.
    more = {}

    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)
        several = len(os.sched_getaffinity(0)) > 1
        self.cpus = sorted(os.sched_getaffinity(0))[:2] if several else (None, None)
        if not several:
            note("Only one processor: nothing is pinned, and the figures are of little worth.")
        self.gateway = pathlib.Path(options.gateway).resolve()
        said = subprocess.run([self.gateway, "key", "new", "--name", "bench"], capture_output=True, text=True, check=True)
        said = said.stdout + said.stderr
        self.key = re.search(r"^cgk_\S+", said, re.M)[0]
        (self.folder / "keys.toml").write_text(said[said.index("[[key]]"):])
        self.sandbox = None

    # The upstream

    @contextlib.contextmanager
    def upstream(self, latency_ms, contacts=1000):
        port = free_port()
        command = [self.gateway, "sandbox", "--port", port, "--contacts", contacts, "--latency-ms", latency_ms,
                   "--scopes", "contacts.readonly contacts.write"]
        server = Server("sandbox", list(map(str, command)), port, self.folder / "sandbox.log", cpu=self.cpus[1])
        self.sandbox = f"http://127.0.0.1:{port}"
        try:
            self.info = self.ask_sandbox("/__sandbox/info")
            yield
        finally:
            server.stop()

    def ask_sandbox(self, path, method="GET"):
        headers = {"version": "2021-07-28"}
        if hasattr(self, "info"):
            headers["authorization"] = f"Bearer {self.info['token']}"
        request = urllib.request.Request(self.sandbox + path, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def forget_calls(self):
        self.ask_sandbox("/__sandbox/reset", "POST")

    def calls(self):
        return sum(self.ask_sandbox("/__sandbox/calls")["routes"].values())

    def contact_ids(self, number):
        ids, after = [], ""
        while len(ids) < number:
            page = self.ask_sandbox(f"/contacts/?locationId={self.info['locationId']}&limit=100{after}")
            if not page["contacts"]:
                break
            ids += [row["id"] for row in page["contacts"]]
            after = f"&startAfter={page['meta']['startAfter']}&startAfterId={page['meta']['startAfterId']}"
        return ids[:number]

    # Who answers

    def names(self):
        return ["gateway"] + self.options.peers

    def start(self, name, floor_file=None):
        port = free_port()
        log = self.folder / f"{name}.log"
        env = {}
        if name == "floor":
            command = [self.options.floor, str(port), str(floor_file)]
        elif name == "gateway":
            command = [self.gateway, "serve"]
            env = {
                "GATEWAY_LISTEN": f"127.0.0.1:{port}",
                "GATEWAY_UPSTREAM_URL": self.sandbox,
                "GATEWAY_LOCATION_ID": self.info["locationId"],
                "GATEWAY_API_KEY": self.info["token"],
                "GATEWAY_AUTH": "keys",
                "GATEWAY_KEYS_FILE": str(self.folder / "keys.toml"),
                "GATEWAY_LOG": "warn",
                **self.more,
            }
            env |= {f"GATEWAY_TTL_{what}": f"{TTL_SECONDS}s" for what in ("CONTACT", "TASKS", "NOTES", "APPOINTMENTS", "PAGES")}
        else:
            command = ["node", str(HERE / "peers" / name / "server.mjs")]
            env = {
                "NODE_ENV": "production",
                "PORT": str(port),
                "UPSTREAM": self.sandbox,
                "LOCATION": self.info["locationId"],
                "TOKEN": self.info["token"],
                "TTL": str(TTL_SECONDS),
            }
        return Server(name, command, port, log, env, self.cpus[0])

    @contextlib.contextmanager
    def running(self, name, **more):
        server = self.start(name, **more)
        try:
            yield server
        finally:
            server.stop()

    # Asking

    def head(self, body):
        return (
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {self.key}\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()

    def together(self, server, body, number):
        """Sends the same request on so many connections at once. The answers' bodies, and the seconds to the last."""
        message = self.head(body) + body
        with contextlib.ExitStack() as stack, selectors.DefaultSelector() as ready:
            sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(number)]
            read = {one: b"" for one in sockets}
            begun = time.monotonic()
            for one in sockets:
                one.sendall(message)
                ready.register(one, selectors.EVENT_READ)
            answers, last = [], 0.0
            while len(answers) < number:
                events = ready.select(timeout=30)
                if not events:
                    raise SystemExit(f"{server.name} did not answer within 30 seconds")
                for event, _ in events:
                    chunk = event.fileobj.recv(1 << 20)
                    if not chunk:
                        raise SystemExit(f"{server.name} hung up")
                    text = read[event.fileobj] = read[event.fileobj] + chunk
                    top, _, rest = text.partition(b"\r\n\r\n")
                    length = re.search(rb"content-length: (\d+)", top, re.I)
                    if length and len(rest) >= int(length[1]):
                        last = time.monotonic() - begun
                        ready.unregister(event.fileobj)
                        answers.append((top, rest))
        for top, rest in answers:
            if b" 200 " not in top.split(b"\r\n")[0] + b" " or b'"errors"' in rest or b'"data"' not in rest:
                raise SystemExit(f"{server.name} answered {top[:40]!r} {rest[:300]!r}")
        return [rest for _, rest in answers], last

    def ask(self, server, body):
        answers, seconds = self.together(server, body, 1)
        return answers[0], seconds

    def wrk(self, server, script, seconds):
        command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), f"http://127.0.0.1:{server.port}/graphql"]
        pin = (lambda: os.sched_setaffinity(0, {self.cpus[1]})) if self.cpus[1] is not None else None
        said = subprocess.run(command, capture_output=True, text=True, preexec_fn=pin, timeout=seconds + 60)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout)
        if not rate or "Non-2xx" in said.stdout or "Socket errors" in said.stdout:
            raise SystemExit(f"wrk at {server.name}:\n{said.stdout}{said.stderr}")
        return float(rate[1]), int(re.search(r"(\d+) requests in", said.stdout)[1])

    def script(self, name, lines):
        path = self.folder / f"{name}.lua"
        path.write_text(
            'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
            f'wrk.headers["authorization"] = "Bearer {self.key}"\n{lines}\n'
        )
        return path

    # What is measured

    def hot(self, what, body):
        """Requests a second of a kept answer: everybody's rate over the gateway's own floor, by rounds."""
        script = self.script(what, f"wrk.body = {lua(body.decode())}")
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(self.running(name)) for name in self.names()]
            said = [self.ask(server, body)[0] for server in servers]
            for server, answer in zip(servers, said):
                if json.loads(answer) != json.loads(said[0]) and what == "profile":
                    raise SystemExit(f"{server.name} does not say the same as the gateway:\n{answer[:500]!r}")
            (self.folder / what).write_bytes(said[0])
            servers.insert(0, stack.enter_context(self.running("floor", floor_file=self.folder / what)))
            for server in servers:
                self.ask(server, body)
                self.wrk(server, script, 1)
            rounds = []
            for number in range(self.options.rounds):
                note(f"hot {what}, round {number + 1} of {self.options.rounds}")
                # The other way round each time: who comes first has no advantage.
                order = servers if number % 2 == 0 else servers[::-1]
                rounds.append({server.name: self.wrk(server, script, self.options.seconds)[0] for server in order})
        ratios = {}
        for name in rounds[0]:
            of = [one[name] / one["floor"] for one in rounds]
            ratios[name] = f"{statistics.median(of):.3f} ({min(of):.3f}-{max(of):.3f})"
        return ratios, {name: f"{statistics.median(one[name] for one in rounds):,.0f}" for name in rounds[0]}

    def cold(self, name, ids):
        """With an upstream that takes its time: the units of it that a first answer takes, and its calls."""
        note(f"cold, {name}")
        out = {}
        units = lambda seconds: seconds * 1000 / LATENCY_MS
        lists, list_calls = [], set()
        for number in range(3):
            with self.running(name) as server:
                # Code that never ran and connections that were never made are not what is asked here.
                for contact in ids[-3:]:
                    self.ask(server, profile(contact))
                self.forget_calls()
                lists.append(units(self.ask(server, LIST_BODY)[1]))
                list_calls.add(self.calls())
                if number:
                    continue
                profiles, profile_calls = [], set()
                for contact in ids[100:110]:
                    self.forget_calls()
                    profiles.append(units(self.ask(server, profile(contact))[1]))
                    profile_calls.add(self.calls())
                self.forget_calls()
                last = units(self.together(server, profile(ids[200]), 200)[1])
                burst_calls = self.calls()
        each = lambda numbers: " or ".join(map(str, sorted(numbers)))
        out["cold profile: units"] = f"{statistics.median(profiles):.2f}"
        out["cold profile: calls"] = each(profile_calls)
        out["cold list of 50: units"] = f"{statistics.median(lists):.2f}"
        out["cold list of 50: calls"] = each(list_calls)
        out["200 at once, one cold profile: calls"] = str(burst_calls)
        out["200 at once: last answer, units"] = f"{last:.2f}"
        return out

    def zipf(self, name, ids):
        """Callers who like some contacts better: the n-th is asked for 1/n as often as the first."""
        note(f"zipf, {name}")
        names = ", ".join(lua(contact) for contact in ids)
        template = lua(profile("@ID@").decode())
        # In `init`, as a request can be put together only when the host is known.
        script = self.script("zipf", f"""
local ids = {{ {names} }}
local template = {template}
local requests, shares, sum = {{}}, {{}}, 0
function init()
  math.randomseed(1)
  for n, id in ipairs(ids) do
    requests[n] = wrk.format("POST", "/graphql", nil, (string.gsub(template, "@ID@", id)))
    sum = sum + 1 / n
    shares[n] = sum
  end
end
function request()
  local at, low, high = math.random() * sum, 1, #ids
  while low < high do
    local middle = math.floor((low + high) / 2)
    if shares[middle] < at then low = middle + 1 else high = middle end
  end
  return requests[low]
end""")
        if name == "floor":
            answer = self.folder / "one"
            with self.running("gateway") as gateway:
                answer.write_bytes(self.ask(gateway, profile(ids[0]))[0])
            with self.running(name, floor_file=answer) as server:
                self.floor_rate = self.wrk(server, script, self.options.zipf_seconds)[0]
                return {"zipf over 1,000: share of the floor": "1.000", "memory after it, MB": f"{server.resident_mb():.0f}"}
        with self.running(name) as server:
            self.forget_calls()
            rate, requests = self.wrk(server, script, self.options.zipf_seconds)
            calls = self.calls()
            return {
                "zipf over 1,000: share of the floor": f"{rate / self.floor_rate:.3f}",
                "zipf: calls": f"{calls:,}",
                "zipf: calls per 1,000 requests": f"{calls * 1000 / max(requests, 1):.1f}",
                "memory after it, MB": f"{server.resident_mb():.0f}",
            }


def lua(text):
    """As a string of Lua."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def table(columns, rows):
    print("| |" + "".join(f" {column} |" for column in columns))
    print("|---|" + "---|" * len(columns))
    for name, row in rows:
        print(f"| {name} |" + "".join(f" {row.get(column, '')} |" for column in columns))
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    target = ROOT / "target" / "release"
    parser.add_argument("--gateway", default=os.environ.get("GATEWAY_BIN", target / "contacts-gateway"))
    parser.add_argument("--floor", default=os.environ.get("FLOOR_BIN", target / "examples" / "floor"))
    parser.add_argument("--peers", default="mercurius,apollo", help="which of mercurius and apollo, separated by commas; empty: none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement of a round")
    parser.add_argument("--zipf-seconds", type=int, default=15)
    parser.add_argument("--only", default="hot,cold,zipf", help="which parts, separated by commas")
    options = parser.parse_args()
    options.peers = [name for name in options.peers.split(",") if name]
    only = set(options.only.split(","))
    for needed in ["wrk"] + (["node", "npm"] if options.peers else []):
        if not shutil.which(needed):
            raise SystemExit(f"{needed} is needed and was not found")
    for program in [options.gateway] + ([options.floor] if only & {"hot", "zipf"} else []):
        if not os.access(program, os.X_OK):
            raise SystemExit(f"{program} is not there: cargo build --release --bin contacts-gateway --example floor")
    for name in options.peers:
        folder = HERE / "peers" / name
        if not folder.is_dir():
            raise SystemExit(f"there is no peer {name}")
        if not (folder / "node_modules").is_dir():
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True, stdout=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        bench = Bench(options, folder)
        columns = bench.names()
        if "hot" in only:
            with bench.upstream(latency_ms=0):
                ids = bench.contact_ids(1)
                # The first in the sandbox is one with everything: its answer is the same through all.
                results = {"profile": bench.hot("profile", profile(bench.info["contactId"] or ids[0]))}
                results["list of 50"] = bench.hot("list", LIST_BODY)
            print(f"\nKept answers, 64 connections, {options.rounds} rounds of {options.seconds} s: rate as a share of the floor's in the same round, median (least-most)\n")
            table(["floor"] + columns, [(f"hot {name}", ratios) for name, (ratios, _) in results.items()])
            print("The medians of the rates themselves, requests a second on this machine\n")
            table(["floor"] + columns, [(f"hot {name}", rates) for name, (_, rates) in results.items()])
        rows = {}
        for part in ("cold", "zipf"):
            if part in only:
                with bench.upstream(latency_ms=LATENCY_MS):
                    ids = bench.contact_ids(1000)
                    for name in (["floor"] if part == "zipf" else []) + columns:
                        for row, value in getattr(bench, part)(name, ids).items():
                            rows.setdefault(row, {})[name] = value
        if rows:
            print(f"\nAn upstream that takes {LATENCY_MS} ms for each answer; a unit is one such call\n")
            table((["floor"] if "zipf" in only else []) + columns, rows.items())


if __name__ == "__main__":
    main()

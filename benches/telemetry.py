#!/usr/bin/env python3
"""What a collector costs a kept answer under load: gateways with and without one, in turn. `just telemetry` builds and runs it.

Gateways share processor 0; the load, the upstream and the collector, which takes everything and keeps nothing, share processor 1. A
ratio is taken within a round. Needs Linux and wrk; all traffic stays on loopback; it stops by itself, and ends only what it started.
"""
import argparse
import collections
import contextlib
import http.server
import pathlib
import statistics
import sys
import tempfile

import load

# What the environment of each says.
GATEWAYS = {
    "no collector": None,
    "a collector": {},
    "one of a hundred sampled": {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"},
    "all sampled": {"OTEL_TRACES_SAMPLER": "parentbased_always_on"},
}


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def collect(port):
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Collector).serve_forever()


class Bench(load.Bench):
    def names(self):
        return list(GATEWAYS)

    def start(self, name, floor_file=None):
        """A gateway in the environment of this name; the floor is the one without a collector."""
        self.more = dict(GATEWAYS[name] or {})
        if GATEWAYS[name] is not None:
            self.more["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{self.collector.port}"
        server = super().start("gateway")
        server.name = name
        return server

    def hot(self, what, body):
        script = self.script(what, f"wrk.body = {load.lua(body.decode())}")
        rates = collections.defaultdict(list)
        with contextlib.ExitStack() as stack:
            port = load.free_port()
            command = [sys.executable, __file__, "--collect", str(port)]
            self.collector = load.Server("collector", command, port, self.folder / "collector.log", cpu=self.cpus[1])
            stack.callback(self.collector.stop)
            servers = [stack.enter_context(self.running(name)) for name in self.names()]
            for server in servers:
                self.ask(server, body)
                self.wrk(server, script, 1)
            for number in range(self.options.rounds):
                load.note(f"round {number + 1} of {self.options.rounds}")
                # Another one is first each time.
                at = number % len(servers)
                for server in servers[at:] + servers[:at]:
                    rates[server.name].append(self.wrk(server, script, self.options.seconds)[0])
        return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gateway", nargs="?", default=load.ROOT / "target" / "release" / "contacts-gateway")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement of a round")
    parser.add_argument("--collect", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.collect:
        return collect(options.collect)
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        with bench.upstream(latency_ms=0):
            contact = bench.info["contactId"] or bench.contact_ids(1)[0]
            rates = bench.hot("profile", load.profile(contact))
    print(f"\nA kept profile, 64 connections, {options.rounds} rounds of {options.seconds} s: rate as a share of that without a collector, median (least-most)\n")
    print("| | share | requests a second |\n|---|---|---|")
    for name, of in rates.items():
        shares = [one / off for one, off in zip(of, rates["no collector"])]
        print(f"| {name} | {statistics.median(shares):.3f} ({min(shares):.3f}-{max(shares):.3f}) | {statistics.median(of):,.0f} |")


if __name__ == "__main__":
    main()

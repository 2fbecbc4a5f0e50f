"""What clairvoyance reads of the schema from errors, where introspection is off: nothing (.ci/run clairvoyance).

    python3 clairvoyance.py BINARY CLAIRVOYANCE

It is given every name of the schema among as many near misses and 300 words that mean nothing, and has to tell which are which. The same of a server that
has the same schema and suggests names is the control: there it finds out most of them.
"""
import json, os, pathlib, random, re, subprocess, sys, tempfile, urllib.request

BINARY, CLAIRVOYANCE = sys.argv[1:]
HERE = pathlib.Path(__file__).parent
SCHEMA = HERE / "../../schema/schema.graphql"


def begun(command, **env):
    """A process, and the address that it tells, without its path."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | env)
    for line in process.stdout:
        if told := re.search(r"127\.0\.0\.1:\d+", line):
            return process, f"http://{told[0]}/graphql"
    sys.exit(f"{command} told no address")


def recovered(address, words, folder):
    """The words that are in the schema that it writes down; none if it gives up, as it then writes nothing."""
    out = folder / "found.json"
    out.unlink(missing_ok=True)
    command = [CLAIRVOYANCE, "-o", out, "-w", words, "-c", "4", address]
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120).stderr
    if not out.exists():
        # For no other reason: its own words for an endpoint that suggests nothing.
        assert "It is very likely that Field Suggestion is not fully enabled on this endpoint" in told, told[-2000:]
        return set()
    return set(re.findall(r'"name": "(\w+)"', out.read_text()))


def main():
    sdl = SCHEMA.read_text()
    names = set(re.findall(r"^\s+(\w+)(?:\(|:)", sdl, re.M)) | set(re.findall(r"^(?:type|input|enum|scalar) (\w+)", sdl, re.M))
    dice = random.Random(1)
    words = names | {name[:-1] + "q" for name in names} | {"".join(dice.choices("aeioulmnrst", k=8)) for _ in range(300)}
    control, suggests = begun(["node", HERE / "suggesting.mjs", SCHEMA])
    # Nothing is asked upstream, so there is none.
    alone = {"GATEWAY_UPSTREAM_URL": "http://upstream.invalid", "GATEWAY_LOCATION_ID": "L", "GATEWAY_API_KEY": "none", "GATEWAY_LOG_FORMAT": "json"}
    served, gateway = begun([BINARY, "serve"], GATEWAY_LISTEN="127.0.0.1:0", GATEWAY_INTROSPECTION="false", **alone)
    try:
        ask = urllib.request.Request(gateway, b'{"query":"{ __schema { description } }"}', {"content-type": "application/json"})
        told = json.load(urllib.request.urlopen(ask))
        assert told["errors"][0]["extensions"]["code"] == "FORBIDDEN", told
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "words").write_text("\n".join(sorted(words)))
            found = {address: recovered(address, folder / "words", folder) & names for address in (suggests, gateway)}
    finally:
        control.kill()
        served.kill()
    print(f"{len(names)} names among {len(words)} words: {len(found[suggests])} recovered where names are suggested, {len(found[gateway])} from the gateway")
    assert len(found[suggests]) > len(names) / 2, "the control found nothing out"
    assert not found[gateway], sorted(found[gateway])


main()

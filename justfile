# The verbs of this project. Nothing needs `just`: each of them is a line to type.

# List the verbs
default:
    @just --list --unsorted

# Run the gateway over a sandbox, with demo data
demo *options:
    cargo run --locked -- demo {{ options }}

# Run the tests
test *options:
    cargo test {{ options }}

# Check formatting and lints, as CI does
lint:
    .ci/run format lint

# Format the code
fmt:
    cargo fmt

# By way of another file, so that a build that fails does not leave an empty schema behind.
# Write schema/schema.graphql anew
schema:
    mkdir -p target
    cargo run --quiet --locked -- schema > target/schema.graphql
    mv target/schema.graphql schema/schema.graphql

# Check licences, sources and advisories of the dependencies
deny:
    .ci/run deny

# Count the instructions of the hot paths and hold them to their budgets
instructions:
    .ci/run bench

# Compare under load with a floor and two peers; `just bench --help` has the options
bench *options:
    cargo build --release --locked --bin contacts-gateway --example floor
    python3 benches/load.py {{ options }}

# What a collector of traces costs a kept answer under load
telemetry *options:
    cargo build --release --locked --bin contacts-gateway
    python3 benches/telemetry.py {{ options }}

# Ask for a million contacts and with a million documents, and watch the memory
soak *options:
    cargo build --release --locked --bin contacts-gateway
    python3 benches/soak.py {{ options }}

# Attack a gateway for some minutes beside honest callers, and compare what these wait with calm minutes
hostile *options:
    cargo build --release --locked --bin contacts-gateway
    python3 benches/hostile.py target/release/contacts-gateway {{ options }}

# Simulate the shared limit and forgetting, and print the tables of docs/scale.md (half an hour)
scale:
    cargo test --locked --lib --features scale a_table_of -- --nocapture --test-threads 1

# Build the documentation of the code
docs:
    .ci/run docs

# Everything that CI runs
ci:
    .ci/run

# `just` lists these. Anything longer than three lines is an xtask.

_default:
    @just --list

# Both ends and the shop on this machine, seeded, until Ctrl-C
demo *ARGS:
    cargo run --release -- demo {{ ARGS }}

# The same from a dev build, with our own log lines at debug
dev *ARGS:
    KONTOR_LOG=kit=debug,network=debug,gateway=debug,kontor=debug cargo run -- demo {{ ARGS }}

# All tests, on both databases and in the browser
test *ARGS:
    cargo xtask test {{ ARGS }}

# The tests that need neither PostgreSQL nor a browser
fast *ARGS:
    cargo xtask test --fast {{ ARGS }}

# What has to hold before a merge: exactly what CI runs
check:
    .ci/run

# Load and latency on this machine, as JSON
bench *ARGS:
    cargo run --release -- bench {{ ARGS }}

# Format every crate
fmt:
    cargo fmt --all

# Licences, advisories, bans and sources of dependencies (needs cargo-deny)
deny:
    cargo deny --locked check

# Time and memory of a clean release build, held against the README
cost:
    cargo xtask build-cost

# One cargo line each; `just` lists them.

default:
    @just --list

# Format, lints: what an editor shows.
check:
    cargo fmt --check && cargo clippy --all-targets --features test-kill,test-mutation -- -D warnings

# All tests, or those whose name contains an argument.
test *args:
    tests/run {{ args }}

# One module of the integration tests.
it module:
    cargo nextest run --features test-kill,test-mutation -E 'binary(it) & test(/^{{ module }}::/)'

# Rewrites the generated parts of docs/ and other golden files; look at the diff.
accept:
    CHANGEOVER_ACCEPT=1 cargo nextest run --features test-kill,test-mutation -E 'test(/docs::|config::|reference/)'

# The library's own pages.
docs:
    cargo doc --no-deps --lib --open

# A whole run on a simulated pair.
demo *args:
    cargo run --release -- demo {{ args }}

# The measurements of docs/develop/timings.md, some seven minutes.
bench:
    cargo bench --bench append --bench speed

# Advisories, licences, sources.
deny:
    cargo deny check

# Exactly what must pass before a change is taken.
ci:
    .ci/run

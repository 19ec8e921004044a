# syntax=docker/dockerfile:1
# The bot in an image of its own (target `plimsoll`, the default): built with link-time optimisation, run without root.

FROM rust:1.95-bookworm AS build
# The image has the C compiler and make that jemalloc and SQLite are built with.
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --package plimsoll-app --profile dist --locked \
    && install -D target/dist/plimsoll /out/plimsoll
# The configuration as shipped, loopback included: who may reach the port is decided by who shares the network namespace.
# The budget is said beside the container's memory limit, in docker-compose.yml. Checked here, not at the first start.
ARG MEMORY_BUDGET=256MB
RUN printf '\n# Agrees with the memory limit of the container.\nmemory:\n  budget: %s\n' "$MEMORY_BUDGET" \
    | cat config/plimsoll.yaml - > /out/plimsoll.yaml \
    && /out/plimsoll config check --config /out/plimsoll.yaml

# Lets visitors of this machine into the shared network namespace of docker-compose.yml: port N + 10000 leads to loopback N.
FROM debian:bookworm-slim AS door
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends socat \
    && rm -rf /var/lib/apt/lists/*
USER 10001:10001
CMD ["sh", "-c", "for port in 15173 3000 9090 9093; do socat \"TCP-LISTEN:$((port + 10000)),fork,reuseaddr,max-children=48\" \"TCP:127.0.0.1:$port\" & done; wait"]

FROM debian:bookworm-slim AS plimsoll
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/plimsoll --create-home plimsoll
COPY --from=build /out/plimsoll /usr/local/bin/plimsoll
COPY --from=build /out/plimsoll.yaml /etc/plimsoll/plimsoll.yaml
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/plimsoll/
USER 10001:10001
# The data folder is relative to here.
WORKDIR /var/lib/plimsoll
VOLUME /var/lib/plimsoll
EXPOSE 15173
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["plimsoll", "ctl", "--config", "/etc/plimsoll/plimsoll.yaml", "health"]
ENTRYPOINT ["plimsoll"]
CMD ["run", "--config", "/etc/plimsoll/plimsoll.yaml"]

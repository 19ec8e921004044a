# syntax=docker/dockerfile:1
# The bot in an image of its own: built with link-time optimisation, run without root.

FROM rust:1.95-bookworm AS build
# The image has the C compiler and make that jemalloc and SQLite are built with.
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --package plimsoll-app --profile dist --locked \
    && install -D target/dist/plimsoll /out/plimsoll
# Inside a container loopback is the container's own: what may reach the port is decided where it is published. `bot` is
# the name by which Prometheus calls it.
RUN grep -q '^  listen: 127\.0\.0\.1:15173$' config/plimsoll.yaml \
    && sed 's/^  listen: 127\.0\.0\.1:15173$/  listen: 0.0.0.0:15173\n  hosts: [bot]/' config/plimsoll.yaml > /out/plimsoll.yaml

FROM debian:bookworm-slim
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

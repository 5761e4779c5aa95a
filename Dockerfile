# syntax=docker/dockerfile:1
# The server with its dashboard. Wants VINZY_DB_URL and secrets; compose.yaml shows both.

FROM rust:1.94-bookworm AS build
RUN rustup target add wasm32-unknown-unknown
# For wasm-opt, which makes the dashboard a tenth smaller.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nodejs npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ENV SQLX_OFFLINE=true
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo xtask dashboard \
    && cargo build --release --locked --bin vinzy \
    && install -D target/release/vinzy /out/vinzy

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/vinzy --shell /usr/sbin/nologin vinzy \
    && install -d -o vinzy -g vinzy -m 0700 /var/lib/vinzy
COPY --from=build /out/vinzy /usr/local/bin/vinzy
ENV VINZY_ENVIRONMENT=production \
    VINZY_HOST=0.0.0.0 \
    VINZY_PORT=8080 \
    VINZY_DATA_DIR=/var/lib/vinzy \
    VINZY_LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/vinzy
# The last signed checkpoint of each ledger: keep it, so that a database that was set back is noticed.
VOLUME /var/lib/vinzy
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["vinzy", "health"]
ENTRYPOINT ["vinzy"]
CMD ["serve"]

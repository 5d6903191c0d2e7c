FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --no-default-features

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home lockbox \
    && install -d -o lockbox /var/lib/lockbox/audit
COPY --from=build /src/target/release/lockbox /usr/local/bin/lockbox
COPY --from=build /src/examples/directory.yaml /etc/lockbox/directory.yaml
USER lockbox
ENTRYPOINT ["lockbox"]
CMD ["help"]

# Hookwheel as a container: one static binary and nothing else, run by nobody in particular.
#
#   docker build -t hookwheel .
#   docker run --rm hookwheel master-key
#
# compose.yaml runs it. What is to be kept lies in the volume /data.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends musl-tools && rm -rf /var/lib/apt/lists/* \
 && rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl
WORKDIR /hookwheel
COPY . .
# On either kind of machine the target is its own, so musl's compiler is the one of that kind.
RUN target="$(uname -m)-unknown-linux-musl" \
 && env "CC_$(echo "$target" | tr - _)=musl-gcc" cargo build --locked --bin hookwheel --profile dist --target "$target" \
 && mkdir -p /image/usr/bin /image/etc/hookwheel /volume && mkdir -m 700 /volume/data \
 && strip --strip-all -o /image/usr/bin/hookwheel "target/$target/dist/hookwheel" \
 && cp config.toml /image/etc/hookwheel/

FROM scratch
COPY --from=build /image/usr /usr
COPY --from=build /image/etc /etc
# What lies in a directory that is copied keeps its mode.
COPY --from=build --chown=65532:65532 /volume /
# The configuration is read here. Each key can be set in the environment instead: HOOKWHEEL__SERVER__BODY_BYTES_MAX, …
WORKDIR /etc/hookwheel
ENV HOOKWHEEL__SERVER__LISTEN=0.0.0.0:7080 \
    HOOKWHEEL__STORE__PATH=/data/store \
    HOOKWHEEL__LOG__FORMAT=json
USER 65532:65532
VOLUME /data
EXPOSE 7080
# Ready: events are taken and delivered. A server that opens a large store is not, for as long as that takes.
HEALTHCHECK --interval=15s --timeout=10s --start-period=2m --retries=3 CMD ["/usr/bin/hookwheel", "health"]
ENTRYPOINT ["/usr/bin/hookwheel"]
CMD ["serve"]

# The image of gumbeld: built in one stage, and in the other only the binary and the libraries it runs with.
# `make image-test` builds it and runs it as deploy/ does: read-only, without a capability, not as root.

FROM debian:trixie-slim AS builder
WORKDIR /src
# The Makefile alone first: it knows the packages, and they stay in a layer that a changed source leaves valid.
COPY Makefile ./
RUN apt-get update \
 && apt-get install -y --no-install-recommends make \
 && make deps
COPY . .
RUN make -j"$(nproc)" && strip build/gumbeld

FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libjansson4 libmicrohttpd12t64 libuv1t64 zlib1g \
 && rm -rf /var/lib/apt/lists/*
COPY --from=builder /src/build/gumbeld /usr/bin/gumbeld

# A number and not a name, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 65532:65532
ENV GUMBELD_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# The binary asks itself: the image needs neither a shell nor curl.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/usr/bin/gumbeld", "--healthcheck"]
ENTRYPOINT ["/usr/bin/gumbeld"]

LABEL org.opencontainers.image.title="gumbeld" \
      org.opencontainers.image.description="Softmax, log-softmax and Gumbel-softmax over HTTP: one seed, one answer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="debian:trixie-slim"

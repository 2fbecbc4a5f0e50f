# syntax=docker/dockerfile:1

# docker build -t contacts-gateway .
#
# To try it, with a sandbox in place of the Contacts API:
#
#   docker run --rm --network host contacts-gateway demo
#
# With a location:
#
#   docker run --rm -p 127.0.0.1:4000:4000 -e GATEWAY_LOCATION_ID -e GATEWAY_API_KEY \
#     -e GATEWAY_AUTH_OPEN_ANYWHERE=true contacts-gateway
#
# With an app instead of a token (GATEWAY_OAUTH_...), the renewed tokens have to outlive the container:
#
#   docker run --rm -v contacts-gateway:/var/lib/contacts-gateway ...
#
# In a container the gateway has to listen on all addresses, and with GATEWAY_AUTH=open, the default, it refuses to
# start there: who reaches it reads all contacts. The line above says that this is meant, because only this machine
# reaches the port that it publishes. The image does not say so for everybody.

FROM node:22-trixie-slim AS node

FROM rust:1.95-slim-trixie AS build
# build.rs makes the explorer with Node.js; Debian's own package is a version that gets no more fixes.
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && node --version && npm --version
WORKDIR /build
COPY . .
# An image without the explorer would go unnoticed.
ENV CONTACTS_GATEWAY_EXPLORER=require
ENV npm_config_cache=/var/cache/npm
# The target directory outlives the build, and cargo compares times: files of an older checkout would pass for built.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/var/cache/npm,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    touch build.rs src/lib.rs src/main.rs \
    && cargo build --release --locked \
    && cp target/release/contacts-gateway /contacts-gateway \
    && mkdir /state

# The C library of the build image's Debian, certificates, and no shell.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /contacts-gateway /usr/local/bin/contacts-gateway
# Where renewed tokens are kept; the image has no shell that could make it.
COPY --from=build --chown=65532:65532 --chmod=0700 /state /var/lib/contacts-gateway
VOLUME /var/lib/contacts-gateway
# By number, so that an orchestrator can see that it is not root.
USER 65532:65532
ENV GATEWAY_LISTEN=0.0.0.0:4000
EXPOSE 4000
# The binary asks itself: the image has nothing else that could.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/contacts-gateway", "health"]
ENTRYPOINT ["/usr/local/bin/contacts-gateway"]
CMD ["serve"]

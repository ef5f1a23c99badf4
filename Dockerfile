# The receiver, with all that a worker needs: git and ssh for checkouts. What providers need to be set up and started is
# not in here: build on this image to add it, or verify providers that run elsewhere (base_url).

FROM python:3.13.14-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8 AS build
WORKDIR /source
COPY docker/requirements.txt .
# what is installed is what the lock names, byte by byte; `make lock` renews it
RUN python -m venv /opt/pact-dispatch \
 && /opt/pact-dispatch/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement requirements.txt
COPY . .
RUN /opt/pact-dispatch/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/pact-dispatch/bin/pip uninstall --yes pip

FROM python:3.13.14-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8
LABEL org.opencontainers.image.title="pact-dispatch" \
      org.opencontainers.image.description="Verify one changed pact the moment it changes" \
      org.opencontainers.image.licenses="MIT"
# tini reaps what providers leave behind, and passes signals on
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client tini \
 && rm -rf /var/lib/apt/lists/* \
 && python -m pip uninstall --yes pip \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin pact-dispatch \
 && useradd --uid 10002 --create-home --shell /usr/sbin/nologin pact-provider \
 && install --directory --owner=pact-dispatch --mode=0711 /data
COPY --from=build /opt/pact-dispatch /opt/pact-dispatch
ENV PATH=/opt/pact-dispatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PACT_DO_NOT_TRACK=true \
    PACT_DISPATCH_CONFIG=/etc/pact-dispatch/pact-dispatch.toml \
    PACT_DISPATCH_DATA_DIR=/data
USER 10001
WORKDIR /home/pact-dispatch
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["tini", "--", "pact-dispatch"]
CMD ["serve", "--bind", "0.0.0.0:8000"]

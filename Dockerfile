# Our own images: `app` runs the flows, the gateway and the CPU model server; `training` adds Axolotl in its own environment.
#
#   docker build --target app -t retort-app:0.1.0 .
#   docker build --target training -t retort-training:0.1.0 .
#   (without a GPU: --build-arg RETORT_TORCH_INDEX=<URL of PyTorch's CPU wheels>)
#
# The environments are made by the same code and from the same locks as on a developer's machine (`retort.setup`).

FROM python:3.11.14-slim-bookworm AS app
# libgomp1: llama.cpp's threads.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home retort \
 && install -d -o retort -g retort /retort
WORKDIR /opt/retort
COPY pyproject.toml ./
COPY locks locks
COPY retort retort
RUN PIP_NO_CACHE_DIR=1 RETORT_HOME=/tmp/setup python3 -m retort.setup app && rm -rf /tmp/setup
COPY . .
ENV PATH=/opt/retort/.venv/app/bin:$PATH PYTHONPATH=/opt/retort PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    RETORT_HOME=/retort
VOLUME /retort
USER retort

FROM app AS training
ARG RETORT_TORCH_INDEX=""
USER root
# A C compiler: Triton compiles its kernels when training starts on a GPU.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
RUN PIP_NO_CACHE_DIR=1 RETORT_HOME=/tmp/setup python3 -m retort.setup training && rm -rf /tmp/setup
USER retort

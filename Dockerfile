# syntax=docker/dockerfile:1
# docker build --tag hybridfactory .
# docker run --rm --user "$(id -u):$(id -g)" --volume /data:/data hybridfactory generate /data/run1/params.toml
FROM python:3.11-slim AS build
COPY . /source
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.11-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    wheel="$(ls /wheels/*.whl)" && python -m pip install --no-cache-dir "${wheel}[sort]"
# Compiled loops and font lists are kept here by whichever user runs the command.
ENV NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /data
ENTRYPOINT ["hybridfactory"]
CMD ["--help"]

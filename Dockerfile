# The product in one image: the pinned dependencies, the command line, nothing that phones home.
#   docker build -t theodolite . && docker run --rm -v "$PWD/acme:/study" theodolite cycle --workspace /study
FROM python:3.13-slim
WORKDIR /opt/theodolite
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY measurement measurement
COPY experiments experiments
COPY attribution attribution
COPY calibration calibration
COPY theodolite theodolite
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && useradd --create-home theodolite
USER theodolite
ENV THEODOLITE_CACHE=/home/theodolite/.cache/theodolite
WORKDIR /study
ENTRYPOINT ["theodolite"]

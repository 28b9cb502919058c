# syntax=docker/dockerfile:1
# Two images:
#   docker build --target controller -t REGISTRY/lindorm-import-controller .
#   docker build --target job        -t REGISTRY/lindorm-import-job .
# The base images are arguments, so that a release can name them by digest (`NAME@sha256:…`), as its workflow does.
# No Docker engine has ever run this file; tests/ship builds the same steps into a folder and runs what they make.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
ARG MAVEN_IMAGE=docker.io/library/maven:3.9-eclipse-temurin-17
ARG FLINK_IMAGE=public.ecr.aws/emr-on-eks/flink/emr-7.13.0-flink:latest

# --- the controller's environment, from the lock file alone ---
FROM ${PYTHON_IMAGE} AS environment
WORKDIR /build
COPY requirements/ requirements/
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements/controller.txt \
 && python -m pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml ./
COPY controller/ controller/
RUN python -m pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir dist . \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --no-index dist/*.whl

FROM ${PYTHON_IMAGE} AS controller
ARG PYTHON_IMAGE
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="lindorm-import controller" \
      org.opencontainers.image.description="Carries out LindormImports: tables, staging, Flink jobs, clean-up." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
# Nothing in the image can install anything.
RUN rm -rf /usr/local/lib/python3.11/site-packages/* /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip*
COPY --from=environment /opt/venv /opt/venv
COPY LICENSE LICENSES.md /licenses/
# The root file system is read-only in the chart: no bytecode is written, what there is has been compiled above.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["lindorm-import"]
CMD ["controller"]

# --- the job: EMR's Flink image with the connectors and the driver ---
FROM ${MAVEN_IMAGE} AS connectors
WORKDIR /build
COPY flink_job/connectors/pom.xml ./
COPY flink_job/connectors/src/main/ src/main/
RUN --mount=type=cache,target=/root/.m2 mvn -B -q -Dmaven.test.skip=true package

FROM ${FLINK_IMAGE} AS job
ARG FLINK_IMAGE
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="lindorm-import job" \
      org.opencontainers.image.description="EMR's Flink with the lindorm source and the items sink." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${FLINK_IMAGE}"
# hadolint ignore=DL3066
USER root
COPY --chmod=0644 flink_job/main.py /opt/flink/usrlib/main.py
# In lib/ and not in usrlib/ (docs/contracts.md, "The FlinkDeployment"). jdbc-driver.jar is MySQL Connector/J, unchanged; to put
# another driver in its place, see LICENSES.md.
COPY --from=connectors --chmod=0644 /build/target/lindorm-flink.jar /build/target/jdbc-driver.jar ${FLINK_HOME:-/opt/flink}/lib/
COPY --chmod=0644 LICENSE LICENSES.md /licenses/
# By name, as EMR's guide wants it: its image has the number.
# hadolint ignore=DL3066
USER hadoop:hadoop

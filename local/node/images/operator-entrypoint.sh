#!/bin/sh
# `operator`, as the upstream image's entry point knows it. The standalone jar comes first: it replaces classes of Flink.
set -eu
[ "${1:-}" = operator ] || { echo "usage: $0 operator" >&2; exit 2; }
cd /opt/flink-operator
# shellcheck disable=SC2086
exec java -cp "$(echo flink-kubernetes-standalone-*.jar):$(echo flink-kubernetes-operator-[0-9]*.jar):*" \
  ${LOG_CONFIG:-} ${JVM_ARGS:-} org.apache.flink.kubernetes.operator.FlinkOperator

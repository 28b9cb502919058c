#!/bin/bash
# What apache/flink's entry point does in native Kubernetes mode: links the built-in plugins that are asked for, and
# runs the command as it is. Flink's configuration is mounted.
set -eu
IFS=';' read -ra wanted <<< "${ENABLE_BUILT_IN_PLUGINS:-}"
for jar in "${wanted[@]}"; do
  mkdir -p "$FLINK_HOME/plugins/${jar%.jar}"
  ln -sf "$FLINK_HOME/opt/$jar" "$FLINK_HOME/plugins/${jar%.jar}/"
done
exec "$@"

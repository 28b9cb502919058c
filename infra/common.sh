# shellcheck shell=bash
# What deploy.sh and teardown.sh share. Sourced, not run.

set -euo pipefail

say() { printf '==> %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Shows a command and, unless this is a dry run, runs it.
run() {
  local word
  printf '   '
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] && printf ' %s' "$word" || printf ' %s' "${word@Q}"
  done
  printf '\n'
  [[ $DRY_RUN == true ]] || "$@"
}

# The value of a stack's output. A dry run asks nobody: it puts the output's name in angle brackets.
output() {
  local stack=$1 key=$2 value
  if [[ $DRY_RUN == true ]]; then
    printf '<%s of stack %s>' "$key" "$stack"
    return
  fi
  value=$(aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$key'].OutputValue | [0]") || fail "stack $stack cannot be read"
  [[ $value != None ]] || fail "stack $stack has no output $key: deploy it from this version of its template"
  printf '%s' "$value"
}

# Whether there is such a stack. Only AWS's word that there is none counts as none.
stack_exists() {
  local answer
  [[ $DRY_RUN == false ]] || return 0
  if answer=$(aws cloudformation describe-stacks --stack-name "$1" 2>&1); then
    return 0
  fi
  [[ $answer == *"does not exist"* ]] || fail "stack $1 cannot be read: $answer"
  return 1
}

# What a stack was given for a parameter.
stack_parameter() {
  if [[ $DRY_RUN == true ]]; then
    printf '<%s of stack %s>' "$2" "$1"
    return
  fi
  aws cloudformation describe-stacks --stack-name "$1" --output text \
    --query "Stacks[0].Parameters[?ParameterKey=='$2'].ParameterValue | [0]" || fail "stack $1 cannot be read"
}

need_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || fail "$tool is missing: install it and start again"
  done
}

# kubectl and helm work on a kubeconfig of this script's own: never on the cluster that happens to be the current one.
use_cluster() {
  local cluster=$1
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  export KUBECONFIG=$WORK/kubeconfig
  run aws eks update-kubeconfig --name "$cluster" --kubeconfig "$KUBECONFIG"
}

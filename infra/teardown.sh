#!/usr/bin/env bash
# Removes what deploy.sh brought up, in the order that leaves nothing behind. Data stays: tables, and the staging
# bucket. Run it again at any time: what is gone already is no error.
#
# Never yet run against a real AWS account (docs/getting-started-aws.md).

usage() {
  cat <<'USAGE'
usage: infra/teardown.sh [--dry-run] [--name NAME] [--delete-imports]

  --dry-run                show every command, run none, ask nobody
  --name NAME              name of the stack (default lindorm-import)
  --delete-imports         delete all imports of the stack's namespace first; without it, imports stop this script

A cluster that was there before (no stack NAME-cluster) stays, with cert-manager, CRDs and the Flink operator.
USAGE
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=infra/common.sh
source "$HERE/common.sh"

DRY_RUN=false
NAME=lindorm-import
NAMESPACE=
DELETE_IMPORTS=false

parse() {
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --dry-run) DRY_RUN=true ;;
      --delete-imports) DELETE_IMPORTS=true ;;
      --name)
        (($# > 1)) || fail "$1 needs a name"
        NAME=$2
        shift
        ;;
      *) fail "$1 is no option; --help says more" ;;
    esac
    shift
  done
  export AWS_DEFAULT_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
  [[ -n $AWS_DEFAULT_REGION ]] || fail "set AWS_REGION"
}

delete_stack() {
  if ! stack_exists "$1"; then
    say "stack $1: there is none"
    return
  fi
  say "stack $1: deleting"
  run aws cloudformation delete-stack --stack-name "$1"
  run aws cloudformation wait stack-delete-complete --stack-name "$1" ||
    fail "stack $1: the reason is in aws cloudformation describe-stack-events --stack-name $1; start again when it is fixed"
}

# The names of all objects of a kind in the namespace; none where the kind itself is unknown.
objects() {
  [[ -n $(kubectl get customresourcedefinitions "$1" --ignore-not-found --output name) ]] || return 0
  kubectl get "$1" --namespace "$NAMESPACE" --output name
}

# The controller and the operator must outlive what they clean up after: their finalizers would hang for ever.
remove_imports() {
  local imports=lindormimports.lindorm.io jobs=flinkdeployments.flink.apache.org left
  if [[ $DELETE_IMPORTS == true ]]; then
    say "imports: deleting all of namespace $NAMESPACE, each by its own deletion policies"
    if [[ $DRY_RUN == true || -n $(objects $imports) ]]; then
      run kubectl delete $imports --all --namespace "$NAMESPACE" --timeout 30m ||
        fail "an import is not gone: kubectl describe limport --namespace $NAMESPACE says what holds it"
    fi
  fi
  [[ $DRY_RUN == false ]] || return 0
  left=$(objects $imports)
  [[ -z $left ]] || fail "there are imports, and nobody could clean up after them without the controller: delete them" \
    "first, or use --delete-imports"$'\n'"$left"
  left=$(objects $jobs)
  [[ -z $left ]] || fail "there are Flink jobs of others in namespace $NAMESPACE: delete them first"$'\n'"$left"
}

main() {
  parse "$@"
  [[ $DRY_RUN == true ]] || need_tools aws kubectl helm
  # The stack goes last, so while it is there, what it says of cluster and namespace holds.
  if stack_exists "$NAME"; then
    NAMESPACE=$(stack_parameter "$NAME" Namespace)
    use_cluster "$(stack_parameter "$NAME" ClusterName)"
    remove_imports
    say "controller"
    run helm uninstall lindorm-import --namespace "$NAMESPACE-system" --ignore-not-found --wait --timeout 5m
    if stack_exists "$NAME-cluster"; then
      say "EMR's Flink operator and cert-manager"
      run helm uninstall flink-kubernetes-operator --namespace "$NAMESPACE" --ignore-not-found --wait --timeout 5m
      run helm uninstall cert-manager --namespace cert-manager --ignore-not-found --wait --timeout 5m
    fi
  fi
  delete_stack "$NAME"
  delete_stack "$NAME-cluster"
  say "done. What holds data stays: the staging bucket (deploying again then needs CreateS3Bucket=false) and the tables."
}

main "$@"

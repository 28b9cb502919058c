#!/usr/bin/env bash
# Brings up all that imports need in an AWS account: network, EKS cluster, cert-manager, EMR's Flink operator, roles,
# EMR virtual cluster, staging bucket, dashboard, and the controller. Run it again at any time: what is there is left
# as it is, what changed is updated, and what failed continues.
#
# Never yet run against a real AWS account (docs/getting-started-aws.md).

usage() {
  cat <<'USAGE'
usage: infra/deploy.sh [--dry-run] [--name NAME] [--existing-cluster NAME] PARAMETER=VALUE …

  --dry-run                show every command, run none, ask nobody
  --name NAME              name of the stack (default lindorm-import); the cluster's stack is NAME-cluster
  --existing-cluster NAME  use this EKS cluster (with cert-manager and an OIDC provider) and make none

PARAMETER is one of infra/cluster.yaml or infra/import.yaml. Needed: S3BucketName and, unless the cluster exists,
ApiAccessCidr. AWS_REGION (or AWS_DEFAULT_REGION) says where; credentials come as for the AWS CLI.

  infra/deploy.sh S3BucketName=my-import-bucket DynamoDBTableName=readings ApiAccessCidr=203.0.113.7/32
USAGE
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=infra/common.sh
source "$HERE/common.sh"

EMR_RELEASE=7.13.0          # of the Flink operator; spec.job.emrReleaseLabel and the job's image are of the same
CERT_MANAGER_VERSION=v1.19.1
DRY_RUN=false
NAME=lindorm-import
EXISTING_CLUSTER=
declare -a CLUSTER_PARAMETERS=() IMPORT_PARAMETERS=()
declare -A GIVEN=()

# Whether a template declares a parameter.
declares() { sed -n '/^Parameters:/,/^[A-Z][a-z]*:/p' "$HERE/$1.yaml" | grep -q "^  $2:"; }

# What a parameter of import.yaml will be: as given, as the stack has it, or its default.
parameter() {
  if [[ -n ${GIVEN[$1]:-} ]]; then
    printf '%s' "${GIVEN[$1]}"
  elif [[ $DRY_RUN == false ]] && stack_exists "$NAME"; then
    stack_parameter "$NAME" "$1"
  else
    sed -n "/^  $1:/,/^    Description:/s/^    Default: //p" "$HERE/import.yaml"
  fi
}

parse() {
  local known
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --dry-run) DRY_RUN=true ;;
      --name | --existing-cluster)
        (($# > 1)) || fail "$1 needs a name"
        [[ $1 == --name ]] && NAME=$2 || EXISTING_CLUSTER=$2
        shift
        ;;
      [A-Z]*=*)
        known=false
        if declares cluster "${1%%=*}"; then CLUSTER_PARAMETERS+=("$1") && known=true; fi
        case ${1%%=*} in
          ClusterName | OidcIssuer) ;; # of the import's stack too, but the cluster says them
          *) if declares import "${1%%=*}"; then IMPORT_PARAMETERS+=("$1") && known=true; fi ;;
        esac
        [[ $known == true ]] || fail "neither template has a parameter ${1%%=*}"
        GIVEN[${1%%=*}]=${1#*=}
        ;;
      *) fail "$1 is no option and no PARAMETER=VALUE; --help says more" ;;
    esac
    shift
  done
  export AWS_DEFAULT_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
  [[ -n $AWS_DEFAULT_REGION ]] || fail "set AWS_REGION"
  [[ -n ${GIVEN[S3BucketName]:-} ]] || fail "give S3BucketName=…: the staging bucket"
  [[ -n $EXISTING_CLUSTER || -n ${GIVEN[ApiAccessCidr]:-} ]] ||
    fail "give ApiAccessCidr=…: the addresses that may reach the cluster's API, such as your own with /32"
  [[ ${GIVEN[DynamoDBWriteCapacity]:-0} == 0 || ${GIVEN[DynamoDBTableName]:-} != *\* ]] ||
    fail "DynamoDBWriteCapacity makes a table: DynamoDBTableName must be its whole name, without *"
}

deploy_stack() {
  local stack=$1 template=$2
  shift 2
  run aws cloudformation deploy --stack-name "$stack" --template-file "$HERE/$template.yaml" \
    --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides "$@" ||
    fail "stack $stack: the reason is in aws cloudformation describe-stack-events --stack-name $stack"
}

deploy_cluster() {
  if [[ -n $EXISTING_CLUSTER ]]; then
    say "cluster: $EXISTING_CLUSTER is there"
    CLUSTER=$EXISTING_CLUSTER
    LOG_GROUP=
    if [[ $DRY_RUN == true ]]; then
      ISSUER="<OIDC issuer of $CLUSTER>"
      return
    fi
    local mode
    read -r mode ISSUER < <(aws eks describe-cluster --name "$CLUSTER" --output text \
      --query 'cluster.[accessConfig.authenticationMode, identity.oidc.issuer]') || fail "cluster $CLUSTER cannot be read"
    [[ $mode == API_AND_CONFIG_MAP || $mode == None ]] ||
      fail "cluster $CLUSTER has authentication mode $mode, EMR needs API_AND_CONFIG_MAP"
    ISSUER=${ISSUER#https://}
    return
  fi
  say "cluster: stack $NAME-cluster (about 25 minutes the first time)"
  deploy_stack "$NAME-cluster" cluster "${CLUSTER_PARAMETERS[@]}"
  CLUSTER=$(output "$NAME-cluster" ClusterName)
  ISSUER=$(output "$NAME-cluster" OidcIssuer)
  LOG_GROUP=$(output "$NAME-cluster" ApplicationLogGroup)
}

deploy_operators() {
  if [[ -z $EXISTING_CLUSTER ]]; then
    say "cert-manager $CERT_MANAGER_VERSION, which the Flink operator's webhook needs"
    run helm upgrade --install cert-manager cert-manager --repo https://charts.jetstack.io \
      --version "$CERT_MANAGER_VERSION" --namespace cert-manager --create-namespace \
      --set crds.enabled=true --wait --timeout 10m
  fi
  if [[ -n $EXISTING_CLUSTER && $DRY_RUN == false ]] &&
    [[ -n $(kubectl get customresourcedefinitions flinkdeployments.flink.apache.org --ignore-not-found --output name) ]] &&
    ! helm status flink-kubernetes-operator --namespace "$NAMESPACE" >/dev/null 2>&1; then
    say "Flink operator: the cluster has one; it stays as it is, and must be EMR's and watch namespace $NAMESPACE"
    return
  fi
  say "EMR's Flink operator $EMR_RELEASE"
  run helm upgrade --install flink-kubernetes-operator oci://public.ecr.aws/emr-on-eks/flink-kubernetes-operator \
    --version "$EMR_RELEASE" --namespace "$NAMESPACE" --wait --timeout 10m
}

# The digest of an image in ECR, or nothing where it has not been pushed.
digest() {
  if [[ $DRY_RUN == true ]]; then
    printf '<digest of %s>' "$1"
    return
  fi
  aws ecr describe-images --repository-name "$1" --image-ids "imageTag=$2" \
    --query 'imageDetails[0].imageDigest' --output text 2>/dev/null || true
}

deploy_controller() {
  local tag controller job missing=false target
  tag=$(parameter ImageTag)
  controller=$(output "$NAME" ControllerRepositoryUri)
  job=$(output "$NAME" JobRepositoryUri)
  local -A digests
  for target in controller job; do
    digests[$target]=$(digest "$NAME/$target" "$tag")
    [[ -n ${digests[$target]} ]] || missing=true
  done
  if [[ $missing == true ]]; then
    say "images: build and push them, then start this script again; it continues from here"
    cat <<PUSH
    aws ecr get-login-password --region $AWS_DEFAULT_REGION | docker login --username AWS --password-stdin ${controller%%/*}
    docker build --platform linux/amd64 --target controller --tag $controller:$tag . && docker push $controller:$tag
    docker build --platform linux/amd64 --target job --tag $job:$tag . && docker push $job:$tag
PUSH
    exit 3
  fi
  say "controller: chart helm/lindorm-import in namespace $NAMESPACE-system"
  output "$NAME" HelmValues >"$WORK/values.yaml"
  run helm upgrade --install lindorm-import "$HERE/../helm/lindorm-import" --namespace "$NAMESPACE-system" \
    --create-namespace --values "$WORK/values.yaml" --set "image.digest=${digests[controller]}" \
    --set "job.image=$job@${digests[job]}" --wait --timeout 5m
}

main() {
  parse "$@"
  if [[ $DRY_RUN == true ]]; then
    say "dry run: these commands would be run, in $AWS_DEFAULT_REGION"
  else
    need_tools aws kubectl helm
    say "account $(aws sts get-caller-identity --query Account --output text), region $AWS_DEFAULT_REGION"
  fi
  NAMESPACE=$(parameter Namespace)
  deploy_cluster
  use_cluster "$CLUSTER"

  say "namespace $NAMESPACE"
  printf '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "%s"}}\n' "$NAMESPACE" >"$WORK/namespace.json"
  run kubectl apply --filename "$WORK/namespace.json"
  deploy_operators

  say "roles, virtual cluster, bucket, dashboard: stack $NAME"
  [[ -z $LOG_GROUP ]] || IMPORT_PARAMETERS+=("ApplicationLogGroup=$LOG_GROUP")
  deploy_stack "$NAME" import "${IMPORT_PARAMETERS[@]}" "ClusterName=$CLUSTER" "OidcIssuer=$ISSUER"
  deploy_controller

  say "done. For kubectl: aws eks update-kubeconfig --name $CLUSTER"
  [[ -n $EXISTING_CLUSTER ]] || say "Lindorm's whitelist, where its public endpoint is used: $(output "$NAME-cluster" NatAddress)"
  say "an import's fields for this set-up (the rest: docs/getting-started-aws.md):"
  output "$NAME" ImportValues | sed 's/^/    /'
  printf '\n'
}

main "$@"

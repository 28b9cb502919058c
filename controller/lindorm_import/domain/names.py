"""Deterministic names (docs/contracts.md, "Names"): a controller that died recognises its own work by them."""

from lindorm_import.api.spec import Staging

UID_LABEL = "lindorm.io/uid"
IMPORT_LABEL = "lindorm.io/import"
NAMESPACE_LABEL = "lindorm.io/namespace"
RATES_KEY = "rates.json"
SETTINGS = "lindorm.io/settings"  # annotation of a FlinkDeployment: build.settings_hash of what it was made from


def run_id(uid: str) -> str:
    """'1a2b3c4d-…' -> 'r1a2b3c4d'."""
    return "r" + uid.replace("-", "")[:8]


def deployment(name: str, uid: str) -> str:
    """Name of FlinkDeployment and ConfigMap: at most 45 characters, as the Flink operator demands."""
    short = name.replace(".", "-")[:24].rstrip("-")
    return f"limport-{short}-{run_id(uid)}"


def rates(name: str, uid: str) -> str:
    """Name of the ConfigMap with the rates that may change while the job runs."""
    return deployment(name, uid) + "-rates"


def scaling_policy(uid: str) -> str:
    """Name of the import's own policy in Application Auto Scaling."""
    return f"lindorm-import-{run_id(uid)}"


def run_prefix(staging: Staging, namespace: str, name: str, uid: str) -> str:
    """Key prefix of the run inside the bucket, ending in '/'."""
    return f"{staging.prefix}{namespace}/{name}/{run_id(uid)}/"


def items_prefix(run: str) -> str:
    """Where the files of a load are: all of them, and nothing else."""
    return run + "items/"


def manifest(run: str) -> str:
    """The list of the files, outside of the prefix that is loaded."""
    return run + "result/manifest.jsonl"


def bulk_errors(run: str) -> str:
    """Where a bulk put reports what it could not write: it counts as rejects."""
    return run + "rejects/load/"


def load_token(uid: str, attempt: int) -> str:
    """The client token of an attempt to load. AWS forgets it, and gives what runs for it whatever is asked for: what an
    import is, only its prefix tells (decide/load.py)."""
    return f"lindorm-import-{uid}-{attempt}"


def labels(namespace: str, name: str, uid: str) -> dict[str, str]:
    """Kubernetes labels; a value has at most 63 characters, so the name may be cut: the UID decides."""
    return {UID_LABEL: uid, IMPORT_LABEL: name[:63].rstrip("-."), NAMESPACE_LABEL: namespace}


def tags(namespace: str, name: str, uid: str) -> dict[str, str]:
    """AWS tags that mark what this import created."""
    return {UID_LABEL: uid, IMPORT_LABEL: name, NAMESPACE_LABEL: namespace}

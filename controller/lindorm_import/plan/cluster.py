"""How large the Flink cluster has to be, and what it costs. Pure."""

import math
from dataclasses import dataclass
from decimal import Decimal

from lindorm_import.api.durations import parse_duration
from lindorm_import.api.spec import Job
from lindorm_import.plan.prices import Prices

# Rows a second that the plan expects of one slot. CPU is not what limits it: docs/benchmarks.md has twenty times that
# for a core. It is the way to Lindorm: a reader has one connection and asks for a page of 2,000 rows at a time, so this
# is a page every 200 ms, which a link between continents still gives.
ROWS_PER_SLOT = 10_000

# What an r5.2xlarge (8 vCPU, 64 GiB) leaves to pods: EKS reserves 90 millicores there, and about 4 GiB go to the
# kernel, the kubelet and the daemons (AWS: EKS best practices, "reserved resources").
NODE_TYPE = "r5.2xlarge"
NODE_CPU = Decimal("7.91")
NODE_GB = Decimal(60)
JOB_MANAGER_CPU = 1
JOB_MANAGER_GB = Decimal(2)


@dataclass(frozen=True)
class Cluster:
    """The cluster. nodes: None where a TaskManager is larger than a node. reason: one sentence for the user."""

    parallelism: int
    task_managers: int
    nodes: int | None
    pod_cpu: int
    pod_gb: Decimal
    reason: str

    def cost(self, seconds: int, prices: Prices) -> Decimal:
        """EC2, EKS and EMR's charge on what the pods ask for, in USD, while the job runs."""
        emr = self.pod_cpu * prices.emr_vcpu_hour + self.pod_gb * prices.emr_gb_hour
        hourly = (self.nodes or self.task_managers + 1) * prices.node_hour + prices.eks_cluster_hour + emr
        return hourly * seconds / 3600


def gigabytes(memory: str) -> Decimal:
    """'8192m' -> 8, as Flink writes memory."""
    return Decimal(memory[:-1]) / (1024 if memory.endswith("m") else 1)


def size_cluster(rows_per_second: int, job: Job) -> Cluster:
    """As many slots as the rate needs: DynamoDB is the limit that holds, not the cluster. The user's
    parallelism wins."""
    manager = job.task_manager
    needed = max(1, math.ceil(rows_per_second / ROWS_PER_SLOT))
    parallelism = job.parallelism or needed
    task_managers = math.ceil(parallelism / manager.slots)
    memory = gigabytes(manager.process_memory)
    nodes = _nodes(task_managers, manager.cpu, memory)
    why = (
        f"spec.job.parallelism says {parallelism}"
        if job.parallelism
        else f"{rows_per_second:,} rows/s at {ROWS_PER_SLOT:,} a slot need {needed} slot{'s' * (needed > 1)}"
    )
    fits = f"which fit on {nodes} {NODE_TYPE}" if nodes else f"each of which is larger than an {NODE_TYPE}"
    return Cluster(
        parallelism=parallelism,
        task_managers=task_managers,
        nodes=nodes,
        pod_cpu=task_managers * manager.cpu + JOB_MANAGER_CPU,
        pod_gb=task_managers * memory + JOB_MANAGER_GB,
        reason=(
            f"{why}, {manager.slots} to a TaskManager: {task_managers} "
            f"TaskManager{'s' * (task_managers > 1)} of {manager.cpu} vCPU and {round(memory, 1).normalize():f} GB, "
            f"and one JobManager, {fits}"
        ),
    )


def _nodes(task_managers: int, cpu: int, memory: Decimal) -> int | None:
    """Nodes for the TaskManagers and the JobManager, which goes into what one node has left."""
    per_node = min(int(NODE_CPU / cpu), int(NODE_GB / memory))
    if per_node == 0:
        return None
    nodes = math.ceil(task_managers / per_node)
    on_last = task_managers - (nodes - 1) * per_node
    spare = NODE_CPU - on_last * cpu >= JOB_MANAGER_CPU and NODE_GB - on_last * memory >= JOB_MANAGER_GB
    return nodes if spare else nodes + 1


def s3_cost(seconds: int, parallelism: int, job: Job, prices: Prices) -> Decimal:
    """PUTs of the checkpoints, in USD: at most one file a subtask of source and writer, and the metadata."""
    interval = max(1, int(parse_duration(job.checkpoint.interval).total_seconds()))
    puts = math.ceil(seconds / interval) * (2 * parallelism + 2)
    return puts * prices.s3_put_per_thousand / 1000

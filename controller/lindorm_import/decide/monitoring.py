"""The import's dashboard and metrics in CloudWatch. They report: what does not work here holds up nothing."""

from lindorm_import.api.status import Dashboard, Progress
from lindorm_import.decide.passes import Pass
from lindorm_import.domain.actions import DeleteDashboard, PublishMetrics, PutDashboard
from lindorm_import.domain.trouble import Trouble
from lindorm_import.manifests import dashboard


def monitor(p: Pass) -> None:
    """Publishes the counts whenever CloudWatch is asked for throttling, and makes the dashboard where there is none.
    Its link is in the status before it is made, and goes where CloudWatch does not let itself be asked."""
    if p.seen.throttling is None:
        return
    p.actions.append(PublishMetrics(dashboard.metrics(p.identity, p.status.progress or Progress())))
    name = dashboard.name(p.identity)
    if isinstance(p.seen.dashboard, Trouble):
        p.update(dashboard=None)
        return
    p.update(dashboard=Dashboard(name=name, url=dashboard.link(p.spec.target.region, name)))
    if p.seen.dashboard is False:
        p.actions.append(PutDashboard(name, dashboard.body(p.identity, p.spec)))


def remove(p: Pass) -> None:
    """On deletion. One that could never be seen was never made."""
    seen = p.optional_or_hold(p.seen.dashboard, "StagingReady") if p.status.dashboard else p.seen.dashboard
    if seen is True:
        p.actions.append(DeleteDashboard(dashboard.name(p.identity)))

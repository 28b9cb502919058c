"""The checks of `doctor` that look at Lindorm."""

import os
import socket

from lindorm_import.adapters.lindorm import look_at_source, use_utc
from lindorm_import.adapters.lindorm_wire import Session
from lindorm_import.api.spec import ImportSpec
from lindorm_import.cli.checks import Check, ok, trouble
from lindorm_import.domain.observed import Login, SourceSeen
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.plan.mapping import Mapping, map_table

# The first LindormTable that speaks MySQL's protocol:
# https://alibabacloud.com/help/en/lindorm/latest/mysql-protocol-development-instructions
_OLDEST = (2, 6, 0)
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST" in os.environ


def lindorm(spec: ImportSpec, login: Login | None) -> tuple[list[Check], Mapping | None]:
    """From the network up to the table; the mapping, where the table can be imported."""
    reached = _port(spec)
    if reached.level == "fail":
        return [reached], None
    if login is None:
        return [reached, Check("lindorm login", "skip", "not looked at: no credentials")], None
    checks = [reached, *_session(spec, login)]
    if checks[-1].level == "fail":
        return checks, None
    table, mapping = _table(spec, login)
    return [*checks, table], mapping


def _port(spec: ImportSpec) -> Check:
    host, port = spec.source.host, spec.source.port
    where = "from the cluster" if _IN_CLUSTER else "from this machine, not from the cluster"
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        return Check(
            "lindorm port",
            "fail",
            f"{host}:{port} cannot be reached {where}: {error}",
            "the MySQL protocol (33060) must be enabled on the instance, the addresses of the nodes' NAT gateways must "
            "be in Lindorm's whitelist, and a VPC address needs a private line. To try it from the cluster: "
            "kubectl exec deploy/lindorm-import -- lindorm-import doctor …",
        )
    if port != 33060:
        return Check(
            "lindorm port",
            "warn",
            f"{host}:{port} answers {where}, but Lindorm's MySQL protocol is on 33060",
            "30020 and 30060 are other protocols: correct spec.source.url unless something forwards the port",
        )
    return ok("lindorm port", f"{host}:{port} answers {where}")


def _session(spec: ImportSpec, login: Login) -> list[Check]:
    source = spec.source
    try:
        with Session(source, login) as session:
            return [ok("lindorm login", f"{login.username} may use database {source.database}"), *_settings(session)]
    except TroubleError as error:
        return [trouble("lindorm login", error)]


def _settings(session: Session) -> list[Check]:
    try:
        use_utc(session)
        _, rows = session.ask("SHOW VARIABLES LIKE 'time_zone'", rows=1)
    except TroubleError as error:
        zone = Check(
            "lindorm time zone",
            "fail",
            error.trouble.message,
            "without it TIMESTAMPs are shown in UTC+8 and would arrive eight hours off: update to 2.7.6",
        )
    else:
        shown = (rows[0][-1] or b"").decode(errors="replace") if rows else "not shown"
        zone = (
            ok("lindorm time zone", "the session takes UTC")
            if shown == "+00:00"
            else Check(
                "lindorm time zone",
                "fail",
                f"the session stays at {shown} although UTC was set",
                "TIMESTAMPs would arrive off by hours: update LindormTable to 2.7.6 or later",
            )
        )
    return [_version(session.server_version), zone]


def _version(text: str) -> Check:
    numbers = tuple(int(part) for part in text.split("-")[-1].split(".")[:3] if part.isdigit())
    if len(numbers) == 3 and numbers < _OLDEST:
        return Check("lindorm version", "warn", text, "the MySQL protocol needs LindormTable 2.6.0 or later")
    return ok("lindorm version", text)


def _table(spec: ImportSpec, login: Login) -> tuple[Check, Mapping | None]:
    try:
        seen: SourceSeen = look_at_source(spec, login, False)
    except TroubleError as error:
        return trouble("lindorm table", error), None
    mapping = map_table(spec, seen)
    if isinstance(mapping, Trouble):
        return Check("lindorm table", "fail", mapping.message), None
    key = ", ".join(k.name for k in seen.primary_key)
    return ok("lindorm table", f"{spec.source.table}: {len(mapping.columns)} columns, primary key {key}"), mapping

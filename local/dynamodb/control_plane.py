"""Tables: their life, their settings, tags and backups. What DynamoDB Local lacks is answered here."""

from __future__ import annotations

import time
from typing import Any

from local.dynamodb import answers
from local.dynamodb.backend import ACCOUNT, Backend, region
from local.dynamodb.settings import Settings
from local.dynamodb.tables import CAPACITY, KEPT, TableState, Throughput, changed_indexes, changed_throughput

# Members of UpdateTable that DynamoDB Local has to see.
_FORWARDED = {"AttributeDefinitions", "GlobalSecondaryIndexUpdates", "StreamSpecification"}


class Tables:
    """The tables that the gate knows of. One that DynamoDB Local has from before is read from its description."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self._backend = backend
        self.settings = settings
        self._states: dict[str, TableState] = {}

    async def state(self, name_or_arn: str, authorization: str) -> TableState:
        """Raises ResourceNotFoundException for a table that is not there."""
        name = name_or_arn.rpartition("/")[2]
        state = self._states.get(name)
        if state and not state.settle(time.time()):
            del self._states[name]
            state = None
        if state is None:
            description = await self._backend.ask("DescribeTable", {"TableName": name}, authorization)
            state = self._states.setdefault(name, _from_description(description["Table"], authorization))
        return state

    async def writable(self, name_or_arn: str, authorization: str) -> TableState:
        """A table whose items can be read and written now. Raises ResourceNotFoundException."""
        state = await self.state(name_or_arn, authorization)
        if state.status in ("CREATING", "DELETING"):
            raise answers.not_found("Requested resource not found")
        return state

    async def answer(self, operation: str, request: dict[str, Any], authorization: str) -> dict[str, Any] | None:
        """The answer to an operation on tables; None for one that is not handled here."""
        match operation:
            case "CreateTable":
                return await self._create(request, authorization)
            case "DescribeTable":
                return {
                    "Table": await self._describe(await self.state(request["TableName"], authorization), authorization)
                }
            case "UpdateTable":
                return await self._update(request, authorization)
            case "DeleteTable":
                return await self._delete(request, authorization)
            case "TagResource":
                state = await self.state(request["ResourceArn"], authorization)
                if state.status == "CREATING":
                    raise answers.in_use(f"Table is being created: {state.name}")
                state.tags |= {tag["Key"]: tag["Value"] for tag in request["Tags"]}
                return {}
            case "UntagResource":
                state = await self.state(request["ResourceArn"], authorization)
                for key in request["TagKeys"]:
                    state.tags.pop(key, None)
                return {}
            case "ListTagsOfResource":
                state = await self.state(request["ResourceArn"], authorization)
                return {"Tags": [{"Key": key, "Value": value} for key, value in state.tags.items()]}
            case "UpdateContinuousBackups":
                return await self._backups(request, authorization)
            case "DescribeContinuousBackups":
                return _backups_of(await self.state(request["TableName"], authorization))
        return None

    async def _create(self, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        name = request["TableName"].rpartition("/")[2]
        old = self._states.get(name)
        if old and old.settle(time.time()):
            raise answers.in_use(f"Table already exists: {name}")
        throughput = changed_throughput(Throughput(), request, creating=True)
        indexes = changed_indexes({}, request, throughput.on_demand)
        plain = {key: value for key, value in request.items() if key not in KEPT}
        description = (await self._backend.ask("CreateTable", plain, authorization))["TableDescription"]
        state = _from_description(description, authorization)
        state.throughput, state.indexes = throughput, indexes
        state.take_settings(request)
        state.status, state.status_until = "CREATING", time.time() + self.settings.create_seconds
        self._states[name] = state
        return {"TableDescription": state.describe(description)}

    async def drop(self, name: str, authorization: str) -> None:
        """A table that an import made for nothing: it was never there."""
        await self._backend.ask("DeleteTable", {"TableName": name}, authorization)
        self._states.pop(name, None)

    async def _describe(self, state: TableState, authorization: str) -> dict[str, Any]:
        if state.status == "DELETING":
            return {**state.last_description, "TableStatus": "DELETING"}
        description = (await self._backend.ask("DescribeTable", {"TableName": state.name}, authorization))["Table"]
        return state.describe(description)

    async def _update(self, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        state = await self.state(request["TableName"], authorization)
        state.update(request, time.time(), self.settings.update_seconds)
        forwarded = {key: value for key, value in request.items() if key in _FORWARDED}
        if "GlobalSecondaryIndexUpdates" in forwarded:
            description = (await self._backend.ask("DescribeTable", {"TableName": state.name}, authorization))["Table"]
            updates = _for_backend(forwarded.pop("GlobalSecondaryIndexUpdates"), description)
            forwarded |= {"GlobalSecondaryIndexUpdates": updates} if updates else {}
        if forwarded:
            await self._backend.ask("UpdateTable", {"TableName": state.name, **forwarded}, authorization)
        elif not set(request) & (KEPT | CAPACITY | {"GlobalSecondaryIndexUpdates"}):
            raise answers.validation(f"the gate does not know how to change {sorted(set(request) - {'TableName'})}")
        return {"TableDescription": await self._describe(state, authorization)}

    async def _delete(self, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        state = await self.state(request["TableName"], authorization)
        state.require_active()
        if state.protected:
            raise answers.validation(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
        await self._describe(state, authorization)
        await self._backend.ask("DeleteTable", {"TableName": state.name}, authorization)
        state.status, state.status_until = "DELETING", time.time() + self.settings.delete_seconds
        return {"TableDescription": {**state.last_description, "TableStatus": "DELETING"}}

    async def _backups(self, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        state = await self.state(request["TableName"], authorization)
        if state.status == "CREATING":
            raise answers.backups_unavailable(
                f"Backups are being enabled for the table: {state.name}. Please retry later"
            )
        given = request["PointInTimeRecoverySpecification"]
        state.recovery = None
        if given["PointInTimeRecoveryEnabled"]:
            now = time.time()
            state.recovery = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": given.get("RecoveryPeriodInDays", 35),
                "EarliestRestorableDateTime": now,
                "LatestRestorableDateTime": now,
            }
        return _backups_of(state)


def _for_backend(updates: list[dict[str, Any]], description: dict[str, Any]) -> list[dict[str, Any]]:
    """The indexes that DynamoDB Local has to make or delete, in the mode that the table was made in: it never learns
    of another, and the units are the gate's."""
    on_demand = description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    units = {} if on_demand else {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}
    made = [u["Create"] for u in updates if "Create" in u]
    created = [{k: v for k, v in index.items() if k != "ProvisionedThroughput"} | units for index in made]
    return [{"Create": index} for index in created] + [u for u in updates if "Delete" in u]


def _backups_of(state: TableState) -> dict[str, Any]:
    recovery = state.recovery or {"PointInTimeRecoveryStatus": "DISABLED"}
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        }
    }


def _index_units(index: dict[str, Any]) -> tuple[int, int]:
    given = index["ProvisionedThroughput"]
    return int(given["ReadCapacityUnits"]), int(given["WriteCapacityUnits"])


def _from_description(description: dict[str, Any], authorization: str) -> TableState:
    """A state with what DynamoDB Local says of a table."""
    keys = {part["KeyType"]: part["AttributeName"] for part in description["KeySchema"]}
    given = description["ProvisionedThroughput"]
    on_demand = description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    units = int(given["ReadCapacityUnits"]), int(given["WriteCapacityUnits"])
    name = description["TableName"]
    return TableState(
        name=name,
        arn=f"arn:aws:dynamodb:{region(authorization)}:{ACCOUNT}:table/{name}",
        partition_key=keys["HASH"],
        sort_key=keys.get("RANGE"),
        key_types={each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]},
        indexes={
            index["IndexName"]: None if on_demand else _index_units(index)
            for index in description.get("GlobalSecondaryIndexes", [])
        },
        throughput=Throughput() if on_demand else Throughput(units, warm_read=units[0], warm_write=units[1]),
    )

"""The job's driver: reads the job config, tells Flink SQL what to copy where, and submits it.

It runs on the Python of EMR's Flink image: the language of 3.9, the standard library and PyFlink. No row
passes through it; source, items and sink are in connectors/. The job config is described in
docs/contracts.md, "The job config".
"""

import argparse
import json
import os
import re
import sys
from typing import Any, Dict, List, Optional

# 2 where the job writes files that DynamoDB loads (load): a job that knows no files must refuse it.
VERSIONS = (1, 2)
PREFIX = "LindormImport: "
RATES_FILE = "rates.json"
RESULT_SIZE = 1024 * 1024  # bytes; it has some hundred

# What the names of Lindorm's types are in Flink SQL. DECIMAL and the types with a length are made by flink_type.
_FLINK_TYPES = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "TINYINT",
    "SMALLINT": "SMALLINT",
    "INT": "INT",
    "INTEGER": "INT",
    "BIGINT": "BIGINT",
    "BIGINT UNSIGNED": "DECIMAL(20, 0)",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "CHAR": "STRING",
    "VARCHAR": "STRING",
    "STRING": "STRING",
    "JSON": "STRING",
    "BINARY": "BYTES",
    "VARBINARY": "BYTES",
    "TIMESTAMP": "TIMESTAMP_LTZ(3)",
    "DATE": "DATE",
    "TIME": "TIME(3)",
}
_WITH_LENGTH = ("CHAR", "VARCHAR", "BINARY", "VARBINARY")
_TYPE = re.compile(r"([A-Z]+(?:\s+UNSIGNED)?)\s*(?:\(\s*([0-9]{1,9})\s*(?:,\s*([0-9]{1,9})\s*)?\))?", re.IGNORECASE)


# What source.tls.mode is as the connector's option, which has the names of MySQL's Java driver.
_TLS_MODES = {
    "Disabled": "DISABLED",
    "Preferred": "PREFERRED",
    "Required": "REQUIRED",
    "VerifyCA": "VERIFY_CA",
    "VerifyIdentity": "VERIFY_IDENTITY",
}


class UserError(Exception):
    """Something that the user, or the controller that wrote the job config, must put right."""


class EndedError(Exception):
    """The job has ended before, and well: there is nothing to do."""


def load_config(path: str) -> Dict[str, Any]:
    """Read the job config; raise UserError for a file that is missing, no JSON, or of another version."""
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except OSError as error:
        raise UserError(f"the job config {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"the job config {path} is not JSON: {error}") from error
    version = config.get("version") if isinstance(config, dict) else None
    if version not in VERSIONS:
        raise UserError(
            f"the job config {path} has version {version}, this job understands versions 1 and 2;"
            " use the job image that belongs to the controller"
        )
    for part in ("import", "source", "target", "rejects", "result"):
        if not isinstance(config.get(part), dict):
            raise UserError(f"the job config {path} has no '{part}'")
    return config


def read_username(directory: str) -> str:
    """Read the key `username` of the mounted Secret; the password is read by the readers themselves."""
    for key in ("username", "password"):
        if not os.path.isfile(os.path.join(directory, key)):
            raise UserError(f"the Secret with Lindorm's credentials has no key '{key}' (looked in {directory})")
    # As it is but for one final newline, which editors and `echo` leave; not even \r is translated.
    with open(os.path.join(directory, "username"), encoding="utf-8", newline="") as file:
        return re.sub(r"\r?\n\Z", "", file.read())


def flink_type(lindorm_type: str) -> str:
    """The Flink SQL type that holds every value of a Lindorm type, which is read to its last character."""
    form = _TYPE.fullmatch(lindorm_type.strip())
    name = " ".join(form.group(1).upper().split()) if form else ""
    first, second = form.groups()[1:] if form else (None, None)
    if name == "DECIMAL":
        if first is None:
            # Without precision and scale no decimal of Flink's is sure to hold every value; as text each is exact.
            return "STRING"
        precision, scale = int(first), int(second or 0)
        if 1 <= precision <= 38 and scale <= precision:
            return f"DECIMAL({precision},{scale})"
    elif name in _FLINK_TYPES and second is None and (first is None or (name in _WITH_LENGTH and int(first) > 0)):
        return _FLINK_TYPES[name]
    raise UserError(f"the Lindorm type {lindorm_type[:100]} cannot be imported")


def identifier(name: str) -> str:
    """Quote a name for Flink SQL."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Quote a text for Flink SQL."""
    return "'" + text.replace("'", "''") + "'"


def option_list(values: List[str]) -> str:
    """Write values in the form of Flink's list options, quoted so that a semicolon is part of a value."""
    return ";".join(literal(value) for value in values)


def unreadable_column(config: Dict[str, Any]) -> str:
    """Return a name that no column has, for the one in which the source tells the sink of values it could not read."""
    name = "unreadable"
    while any(column["name"] == name for column in config["source"]["columns"]):
        name += "_"
    return name


def columns_sql(config: Dict[str, Any]) -> str:
    """The column list that both tables have."""
    columns = [f"{identifier(column['name'])} {flink_type(column['type'])}" for column in config["source"]["columns"]]
    columns.append(f"{identifier(unreadable_column(config))} STRING METADATA FROM 'unreadable'")
    return ",\n  ".join(columns)


def create_table(name: str, config: Dict[str, Any], options: Dict[str, str]) -> str:
    """Return CREATE TEMPORARY TABLE with the columns of the source."""
    given = ",\n  ".join(f"{literal(key)} = {literal(value)}" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE {name} (\n  {columns_sql(config)}\n) WITH (\n  {given}\n)"


def source_table(config: Dict[str, Any], username: str, credentials: str, rates_file: Optional[str] = None) -> str:
    """The DDL of the table that is read.

    `credentials` is the folder of the mounted Secret, whose other files the readers read themselves; `rates_file` as
    for items_table.
    """
    source = config["source"]
    options = {
        "connector": "lindorm",
        "url": source["url"],
        "table-name": source["table"],
        "username": username,
        "password-file": os.path.join(credentials, "password"),
        "scan.page-size": str(source["pageSize"]),
    }
    tls = source.get("tls")  # a controller before it wrote none
    if tls:
        options["tls.mode"] = _TLS_MODES[tls["mode"]]
        if tls["mode"].startswith("Verify"):
            options["tls.ca-file"] = os.path.join(credentials, "ca.crt")
    time_range = source.get("timeRange")
    if time_range:
        options["scan.timestamp.column"] = time_range["column"]
        options["scan.timestamp.start"] = time_range["start"]
        options["scan.timestamp.end"] = time_range["end"]
        if time_range.get("unit"):
            options["scan.timestamp.unit"] = time_range["unit"]
    if source.get("filter"):
        options["scan.filter"] = source["filter"]
    if source.get("maxRowsPerSecond"):
        options["scan.rows-per-second"] = str(source["maxRowsPerSecond"])
    if rates_file:
        options["scan.rates.path"] = rates_file
    if source.get("splitPoints"):
        options["scan.split.points"] = option_list(source["splitPoints"])
    return create_table("rows_of_lindorm", config, options)


def items_table(config: Dict[str, Any], endpoint: Optional[str], rates_file: Optional[str] = None) -> str:
    """The DDL of the table that is written.

    `endpoint` is DynamoDB's address where it is not AWS's own; `rates_file` holds the rates that may change
    while the job runs (docs/contracts.md, "Rates that change while the job runs"), and need not exist.
    """
    options = {"connector": "lindorm-items", "job-config": json.dumps(config, ensure_ascii=False)}
    if endpoint:
        options["aws.endpoint"] = endpoint
    if rates_file:
        options["rates.path"] = rates_file
    return create_table("items_of_dynamodb", config, options)


def insert(config: Dict[str, Any]) -> str:
    """The statement that is the job."""
    names = [column["name"] for column in config["source"]["columns"]] + [unreadable_column(config)]
    columns = ", ".join(identifier(name) for name in names)
    return f"INSERT INTO items_of_dynamodb SELECT {columns} FROM rows_of_lindorm"  # noqa: S608 - names are quoted


def job_settings(config: Dict[str, Any]) -> Dict[str, str]:
    """Return what this job needs of Flink's configuration, whatever the cluster's says."""
    imported = config["import"]
    return {
        "pipeline.name": f"{imported['namespace']}/{imported['name']} {imported['runId']}",
        # Operators keep nothing of a row, so it need not be copied from one to the next.
        "pipeline.object-reuse": "true",
        # A job that is submitted again continues from a checkpoint: its operators must be found in it.
        "table.exec.uid.generation": "ALWAYS",
        "table.local-time-zone": "UTC",
    }


def submit(
    config: Dict[str, Any],
    username: str,
    credentials: str,
    endpoint: Optional[str],
    rates_file: Optional[str],
) -> None:
    """Hand the job to Flink."""
    from pyflink.table import EnvironmentSettings, TableEnvironment

    table_env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, value in job_settings(config).items():
        table_env.get_config().set(key, value)
    table_env.execute_sql(source_table(config, username, credentials, rates_file))
    table_env.execute_sql(items_table(config, endpoint, rates_file))
    statements = table_env.create_statement_set()
    statements.add_insert_sql(insert(config))
    try:
        statements.execute()
    except Exception as error:
        if not refused_as_ended(error):
            raise
        from pyflink.java_gateway import get_gateway

        jvm = get_gateway().jvm
        if read_result(jvm, config["result"]["path"]).get("runId") != config["import"]["runId"]:
            raise
        let_flink_end(jvm, table_env.get_config().get("$internal.pipeline.job-id", ""))
        raise EndedError(f"this run has ended before; its result is {config['result']['path']}") from error


def refused_as_ended(error: BaseException) -> bool:
    """Whether Flink refuses the job because it has ended, of which it keeps a record (its job result store).

    That is how main runs when the JobManager was lost after the job's end. PyFlink hands on the text of the Java
    exception alone, and the exception's own does not say which kind it is; the method that made it does.
    """
    return "DuplicateJobSubmissionException.ofGloballyTerminated" in str(error)


def read_result(jvm: Any, path: str) -> Dict[str, Any]:
    """Read the result (docs/contracts.md, "What the job leaves in S3") by Flink's own file systems; empty where there
    is none."""
    address = jvm.org.apache.flink.core.fs.Path(path)
    files = address.getFileSystem()
    if not files.exists(address):
        return {}
    stream = files.open(address)
    try:
        result = json.loads(bytes(stream.readNBytes(RESULT_SIZE)).decode("utf-8"))
    except ValueError:
        return {}
    finally:
        stream.close()
    return result if isinstance(result, dict) else {}


def let_flink_end(jvm: Any, job_id: str) -> None:
    """Make Flink see its own refusal, on which it counts the application as done and keeps the JobManager.

    Flink does so by itself for a main in Java (ApplicationDispatcherBootstrap.runApplicationEntryPoint); of one in
    Python it sees no more than an exit code, which ends the JobManager, again and again. PyFlink hands on a Java
    exception only if there is an UnsuccessfulExecutionException in its chain (PythonEnvUtils.setPythonException).
    """
    flink = jvm.org.apache.flink
    job = flink.api.common.JobID.fromHexString(job_id)
    refusal = flink.runtime.client.DuplicateJobSubmissionException.ofGloballyTerminated(job)
    unknown = flink.runtime.clusterframework.ApplicationStatus.UNKNOWN
    carrier = flink.client.deployment.application.UnsuccessfulExecutionException(job, unknown, "", refusal)
    flink.client.python.PythonEnvUtils.setPythonException(carrier)


def sentence_in(error: BaseException) -> Optional[str]:
    """Find the sentence for the user in what PyFlink makes of a Java exception."""
    found = re.search(re.escape(PREFIX) + r"[^\n]*", str(error))
    return found.group(0) if found else None


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Copies rows of a Lindorm table into a DynamoDB table.")
    parser.add_argument("--config", required=True, metavar="FILE", help="the job config (job.json)")
    parser.add_argument("--credentials", required=True, metavar="DIR", help="a folder with 'username' and 'password'")
    parser.add_argument("--rates", metavar="DIR", help="a folder with rates.json, which may change while the job runs")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
        username = read_username(options.credentials)
        credentials = os.path.abspath(options.credentials)
        rates_file = os.path.abspath(os.path.join(options.rates, RATES_FILE)) if options.rates else None
        submit(config, username, credentials, os.environ.get("AWS_ENDPOINT_URL_DYNAMODB"), rates_file)
    except (EndedError, UserError) as error:
        # Of an exit code of 0 Flink would make that the application has no job.
        print(f"{PREFIX}{error}", file=sys.stderr)
        return 1
    except Exception as error:  # whatever PyFlink raises may carry a sentence for the user
        sentence = sentence_in(error)
        if sentence is None:
            raise
        print(sentence, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

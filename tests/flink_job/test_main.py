"""The driver's pure functions: what Flink SQL is told, and what the user is told."""

from __future__ import annotations

import ast
import copy
import json
import re
import sys
import types
from pathlib import Path

import pytest

from flink_job import main

CONFIG = {
    "version": 1,
    "import": {"namespace": "default", "name": "readings", "uid": "u", "runId": "r1a2b3c4d"},
    "source": {
        "url": "jdbc:mysql://host:33060/default",
        "table": "readings",
        "tls": {"mode": "Preferred"},
        "columns": [
            {"name": "device", "type": "VARCHAR"},
            {"name": "ts", "type": "TIMESTAMP"},
            {"name": "val", "type": "DOUBLE"},
        ],
        "primaryKey": [{"name": "device", "order": "ASC"}, {"name": "ts", "order": "ASC"}],
        "timeRange": {
            "column": "ts",
            "start": "2023-01-01T00:00:00.000Z",
            "end": "2023-02-01T00:00:00.000Z",
            "unit": None,
        },
        "filter": None,
        "pageSize": 2000,
        "maxRowsPerSecond": None,
        "splitPoints": [],
    },
    "target": {"region": "us-west-2", "table": "readings"},
    "rejects": {"path": "s3://b/rejects/", "max": 1000},
    "result": {"path": "s3://b/result/result.json"},
}


def config(**source: object) -> dict:
    changed = copy.deepcopy(CONFIG)
    changed["source"].update(source)
    return changed


def options(ddl: str) -> dict[str, str]:
    """Read the options back from a CREATE TABLE."""
    pairs = re.findall(r"'((?:[^']|'')*)' = '((?:[^']|'')*)'", ddl.split(") WITH (")[-1])
    return {key: value.replace("''", "'") for key, value in pairs}


SECRETS = json.loads((Path(__file__).parent.parent / "data/secrets.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", SECRETS, ids=[case["name"] for case in SECRETS])
def test_of_the_user_name_only_one_final_newline_is_taken_off(case: dict, tmp_path: Path):
    (tmp_path / "password").touch()
    (tmp_path / "username").write_bytes(case["file"].encode())
    assert main.read_username(str(tmp_path)) == case["value"]


def test_source_table_has_the_columns_and_the_range():
    ddl = main.source_table(CONFIG, "reader", "/etc/cred")
    assert "`device` STRING,\n  `ts` TIMESTAMP_LTZ(3),\n  `val` DOUBLE" in ddl
    assert options(ddl) == {
        "connector": "lindorm",
        "url": "jdbc:mysql://host:33060/default",
        "table-name": "readings",
        "username": "reader",
        "password-file": "/etc/cred/password",
        "tls.mode": "PREFERRED",
        "scan.page-size": "2000",
        "scan.timestamp.column": "ts",
        "scan.timestamp.start": "2023-01-01T00:00:00.000Z",
        "scan.timestamp.end": "2023-02-01T00:00:00.000Z",
    }


def test_values_that_cannot_be_read_are_told_in_a_column_that_no_other_is_called_as():
    named = config(columns=[{"name": "unreadable", "type": "INT"}, {"name": "unreadable_", "type": "INT"}])
    told = "`unreadable__` STRING METADATA FROM 'unreadable'"
    assert told in main.source_table(named, "u", "p")
    assert told in main.items_table(named, None)
    assert "SELECT `unreadable`, `unreadable_`, `unreadable__` FROM" in main.insert(named)


def test_source_table_without_a_range():
    given = options(main.source_table(config(timeRange=None), "u", "p"))
    assert not any(key.startswith("scan.timestamp") for key in given)


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("Disabled", {"tls.mode": "DISABLED"}),
        ("Required", {"tls.mode": "REQUIRED"}),
        ("VerifyCA", {"tls.mode": "VERIFY_CA", "tls.ca-file": "/etc/cred/ca.crt"}),
        ("VerifyIdentity", {"tls.mode": "VERIFY_IDENTITY", "tls.ca-file": "/etc/cred/ca.crt"}),
    ],
)
def test_the_certificate_to_trust_is_a_file_of_the_secret(mode: str, told: dict):
    given = options(main.source_table(config(tls={"mode": mode}), "reader", "/etc/cred"))
    assert {key: value for key, value in given.items() if key.startswith("tls.")} == told


def test_source_table_with_everything():
    time_range = dict(CONFIG["source"]["timeRange"], unit="Seconds")
    given = options(
        main.source_table(
            config(
                timeRange=time_range,
                filter="metric = 'temp'",
                maxRowsPerSecond=50_000,
                splitPoints=["a;b", "it's"],
            ),
            "u",
            "p",
        )
    )
    assert given["scan.timestamp.unit"] == "Seconds"
    assert given["scan.filter"] == "metric = 'temp'"
    assert given["scan.rows-per-second"] == "50000"
    assert given["scan.split.points"] == "'a;b';'it''s'"


def test_names_and_texts_cannot_leave_their_quotes():
    hostile = "x` STRING) WITH ('connector' = 'print') --"
    ddl = main.source_table(config(columns=[{"name": hostile, "type": "INT"}], table="t' = '"), "u", "p")
    assert "`x`` STRING) WITH ('connector' = 'print') --` INT" in ddl
    assert options(ddl)["table-name"] == "t' = '"
    assert main.insert(config(columns=[{"name": "a`b", "type": "INT"}])).startswith(
        "INSERT INTO items_of_dynamodb SELECT `a``b`, `unreadable` FROM"
    )


def test_items_table_carries_the_config_unchanged():
    changed = config(filter="name = 'O''Brien' and city = 'Zürich'")
    given = options(main.items_table(changed, None))
    assert given["connector"] == "lindorm-items"
    assert json.loads(given["job-config"]) == changed
    assert "aws.endpoint" not in given
    assert options(main.items_table(CONFIG, "http://127.0.0.1:8000"))["aws.endpoint"] == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("lindorm", "flink"),
    [
        ("BOOLEAN", "BOOLEAN"),
        ("TINYINT", "TINYINT"),
        ("SMALLINT", "SMALLINT"),
        ("INTEGER", "INT"),
        ("int", "INT"),
        ("BIGINT", "BIGINT"),
        ("BIGINT UNSIGNED", "DECIMAL(20, 0)"),
        ("bigint  unsigned", "DECIMAL(20, 0)"),
        ("FLOAT", "FLOAT"),
        ("DOUBLE", "DOUBLE"),
        ("DECIMAL(10,2)", "DECIMAL(10,2)"),
        ("decimal ( 38 )", "DECIMAL(38,0)"),
        ("DECIMAL", "STRING"),
        ("CHAR(8)", "STRING"),
        ("VARCHAR", "STRING"),
        ("VARCHAR(20)", "STRING"),
        ("JSON", "STRING"),
        ("BINARY(4)", "BYTES"),
        ("VARBINARY", "BYTES"),
        ("TIMESTAMP", "TIMESTAMP_LTZ(3)"),
        ("DATE", "DATE"),
        ("TIME", "TIME(3)"),
    ],
)
def test_types(lindorm, flink):
    assert main.flink_type(lindorm) == flink


COLUMN_TYPES = json.loads((Path(__file__).parent.parent / "data/column-types.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("lindorm", COLUMN_TYPES["accepted"])
def test_every_type_of_lindorm_has_one_in_flink(lindorm):
    assert main.flink_type(lindorm)


@pytest.mark.parametrize("lindorm", [*COLUMN_TYPES["refused"], "VARCHAR)"])
def test_a_type_that_cannot_be_imported_is_named(lindorm):
    with pytest.raises(main.UserError, match=re.escape(f"type {lindorm} cannot")):
        main.flink_type(lindorm)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "version None"),
        ('{"version": 3}', "version 3"),
        ('{"version": 1}', "no 'import'"),
    ],
)
def test_a_wrong_config_is_said_in_a_sentence(tmp_path: Path, capsys, content, said):
    path = tmp_path / "job.json"
    path.write_text(content)
    assert main.main(["--config", str(path), "--credentials", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("LindormImport: ")
    assert said in error
    assert error.count("\n") == 1


def test_missing_files_are_named(tmp_path: Path, capsys):
    assert main.main(["--config", str(tmp_path / "none"), "--credentials", str(tmp_path)]) == 1
    assert "none cannot be read" in capsys.readouterr().err
    path = tmp_path / "job.json"
    path.write_text(json.dumps(CONFIG))
    (tmp_path / "username").write_text("u")
    assert main.main(["--config", str(path), "--credentials", str(tmp_path)]) == 1
    assert "no key 'password'" in capsys.readouterr().err


def test_the_job_gets_the_password_by_its_file_only(tmp_path: Path, monkeypatch):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(CONFIG))
    (tmp_path / "username").write_text("reader\n")
    (tmp_path / "password").write_text("secret")
    seen = []
    monkeypatch.setattr(main, "submit", lambda *arguments: seen.append(arguments))
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000")
    assert main.main(["--config", str(path), "--credentials", str(tmp_path)]) == 0
    assert seen == [(CONFIG, "reader", str(tmp_path), "http://127.0.0.1:8000", None)]


def test_the_job_gets_the_file_of_the_rates(tmp_path: Path, monkeypatch):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(CONFIG))
    (tmp_path / "username").write_text("u")
    (tmp_path / "password").write_text("p")
    seen = []
    monkeypatch.setattr(main, "submit", lambda *arguments: seen.append(arguments))
    arguments = ["--config", str(path), "--credentials", str(tmp_path), "--rates", str(tmp_path / "rates")]
    assert main.main(arguments) == 0
    assert seen[0][-1] == str(tmp_path / "rates" / "rates.json")
    assert options(main.items_table(CONFIG, None, seen[0][-1]))["rates.path"] == seen[0][-1]
    assert options(main.source_table(CONFIG, "u", "p", seen[0][-1]))["scan.rates.path"] == seen[0][-1]


def test_a_sentence_is_found_in_a_java_exception(tmp_path: Path, monkeypatch, capsys):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(CONFIG))
    (tmp_path / "username").write_text("u")
    (tmp_path / "password").write_text("p")

    def fail(*_arguments):
        raise RuntimeError(
            "An error occurred while calling o10.executeSql.\n: ValidationException: …\n"
            "Caused by: io.lindorm.flink.UserError: LindormImport: 'scan.page-size' must be between 1 and 2000\n\tat …"
        )

    monkeypatch.setattr(main, "submit", fail)
    assert main.main(["--config", str(path), "--credentials", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "LindormImport: 'scan.page-size' must be between 1 and 2000\n"


def test_the_job_can_be_found_again_in_a_checkpoint():
    settings = main.job_settings(CONFIG)
    assert settings["table.exec.uid.generation"] == "ALWAYS"
    assert settings["pipeline.name"] == "default/readings r1a2b3c4d"


def test_the_driver_runs_on_python_3_9_with_the_standard_library_and_pyflink():
    source = Path(main.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported - {"pyflink"} <= set(sys.stdlib_module_names)


ENDED = (
    "org.apache.flink.table.api.TableException: Failed to execute sql\n"
    "Caused by: org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.\n"
    "\tat org.apache.flink.runtime.client.DuplicateJobSubmissionException.ofGloballyTerminated(Dupl….java:35)\n"
)
RUNS_ALREADY = ENDED.replace("ofGloballyTerminated", "of")


class Jvm:
    """Flink's classes, as far as the driver uses them: any name is a package, a class or a method that is noted."""

    def __init__(self, result: str | None, name: str = "") -> None:
        self.result, self.name, self.calls = result, name, []

    def __getattr__(self, part: str) -> Jvm:
        child = Jvm(self.result, f"{self.name}.{part}")
        child.calls = self.calls
        return child

    def __call__(self, *arguments: object) -> object:
        method = self.name.rsplit(".", 1)[-1]
        self.calls.append((method, arguments))
        if method == "exists":
            return self.result is not None
        return (self.result or "").encode() if method == "readNBytes" else self


class Statements:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def add_insert_sql(self, _sql: str) -> None: ...

    def execute(self) -> None:
        if self.error:
            raise self.error


def submitted(monkeypatch, error: Exception | None, result: str | None) -> Jvm:
    """Run submit() with a Flink that answers so."""
    jvm = Jvm(result)

    class Environment:
        def get_config(self):
            return self

        def set(self, key, value): ...

        def get(self, key, default):
            return "ab" * 16 if key == "$internal.pipeline.job-id" else default

        def execute_sql(self, _sql): ...

        def create_statement_set(self):
            return Statements(error)

    table = types.SimpleNamespace(
        EnvironmentSettings=types.SimpleNamespace(in_streaming_mode=lambda: None),
        TableEnvironment=types.SimpleNamespace(create=lambda _settings: Environment()),
    )
    gateway = types.SimpleNamespace(get_gateway=lambda: types.SimpleNamespace(jvm=jvm))
    for name, module in {
        "pyflink": types.SimpleNamespace(),
        "pyflink.table": table,
        "pyflink.java_gateway": gateway,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    main.submit(CONFIG, "u", "/credentials", None, None)
    return jvm


OWN = json.dumps({"version": 1, "runId": "r1a2b3c4d", "rowsRead": 3})


def test_a_main_that_runs_again_after_its_job_has_ended_shows_flink_its_own_refusal(monkeypatch):
    calls = []
    monkeypatch.setattr(main, "let_flink_end", lambda _jvm, job: calls.append(job))
    with pytest.raises(main.EndedError, match=r"its result is s3://b/result/result\.json"):
        submitted(monkeypatch, RuntimeError(ENDED), OWN)
    assert calls == ["ab" * 16]


def test_flink_is_shown_a_refusal_that_it_takes_for_the_end_of_the_application():
    jvm = Jvm(None)
    main.let_flink_end(jvm, "ab" * 16)
    assert [name for name, _ in jvm.calls] == [
        "fromHexString",
        "ofGloballyTerminated",
        "UnsuccessfulExecutionException",
        "setPythonException",
    ]
    assert jvm.calls[0][1] == ("ab" * 16,)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ENDED, None),
        (ENDED, OWN.replace("r1a2b3c4d", "r00000000")),
        (ENDED, "{}"),
        (ENDED, "[]"),
        (ENDED, "no json"),
        (RUNS_ALREADY, OWN),
        ("java.net.ConnectException", OWN),
    ],
)
def test_any_other_failure_of_a_submission_stays_one(monkeypatch, error: str, result: str | None):
    told = []
    monkeypatch.setattr(main, "let_flink_end", lambda *arguments: told.append(arguments))
    with pytest.raises(RuntimeError):
        submitted(monkeypatch, RuntimeError(error), result)
    assert told == []


def test_a_submission_that_succeeds_asks_for_no_result(monkeypatch):
    assert submitted(monkeypatch, None, OWN).calls == []


def test_a_run_that_has_ended_is_told_in_a_sentence(tmp_path: Path, monkeypatch, capsys):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(CONFIG))
    for name in ("username", "password"):
        (tmp_path / name).write_text("x")

    def ended(*_arguments):
        raise main.EndedError("this run has ended before; its result is s3://b/result.json")

    monkeypatch.setattr(main, "submit", ended)
    assert main.main(["--config", str(path), "--credentials", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("LindormImport: this run has ended before")

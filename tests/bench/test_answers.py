"""The bench's HTTP server answers as DynamoDB does to puts that are done: the writer takes nothing else for one."""

import http.client
import json
import subprocess
import zlib
from pathlib import Path

import pytest

from local.bootstrap import REPOSITORY
from local.machine import java_tool
from local.processes import accepts_connections, free_port, wait_until

SOURCE = REPOSITORY / "bench/java/src/main/java/io/lindorm/bench/AnswerServer.java"
PUTS = {"RequestItems": {"readings": [{"PutRequest": {"Item": {"k": {"S": str(i)}}}} for i in range(3)]}}
REQUEST = json.dumps(PUTS | {"ReturnConsumedCapacity": "TOTAL"}, separators=(",", ":"))


@pytest.mark.stack
def test_each_answer_has_an_id_of_its_own_a_right_checksum_and_the_units(tmp_path: Path) -> None:
    subprocess.run([java_tool("javac"), "-d", str(tmp_path), str(SOURCE)], check=True)
    port = free_port()
    command = [java_tool("java"), "-cp", str(tmp_path), "io.lindorm.bench.AnswerServer", str(port)]
    with subprocess.Popen(command) as server:
        try:
            assert wait_until(lambda: accepts_connections(port), 120)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            ids = []
            for _ in range(12):
                connection.request("POST", "/", REQUEST)
                answer = connection.getresponse()
                body = answer.read()
                ids.append(answer.headers["x-amzn-RequestId"])
                assert int(answer.headers["x-amz-crc32"]) == zlib.crc32(body)
                assert json.loads(body)["ConsumedCapacity"] == [{"CapacityUnits": 3.0, "TableName": "readings"}]
            connection.request("GET", "/")
            assert json.loads(connection.getresponse().read()) == {"requests": 12, "items": 36}
            connection.close()
        finally:
            server.terminate()
    assert len(set(ids)) == 12
    assert {len(one) for one in ids} == {52}

"""Where the job keeps its files: an address that S3, the controller, Flink and Hadoop read alike, or none."""

import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lindorm_import.api.paths import BUCKET_PATTERN, PREFIX_PATTERN, S3_URI_PATTERN
from lindorm_import.domain import names
from local.bootstrap import layout
from tests.controller.factories import UID, spec

FOREIGN_PREFIXES = {
    "./": "dot",
    "a/./b/": "dot inside",
    "../": "parent",
    "x/../y/": "parent inside",
    "a/../../b/": "two parents",
    ".../": "dots alone",
    "/": "the root",
    "/a/": "leading slash",
    "//": "empty",
    "a//b/": "empty inside",
    "a/b": "no slash",
    "a b/": "space",
    "a\tb/": "tab",
    "a\n/": "newline",
    "a/\n": "newline at the end",
    "\x00/": "null",
    "a\x7f/": "control",
    "%2e%2e/": "escaped",
    "a%20b/": "escaped space",
    "a%/": "percent",
    "a:b/": "colon",
    "s3://x/": "scheme",
    "a?b/": "query",
    "a#b/": "fragment",
    "a*/": "star",
    "a[b]/": "brackets",
    "{a,b}/": "braces",
    "a\\b/": "backslash",
    "ä/": "not ASCII",
    "a\u2028/": "line separator",
    "～/": "full width",
    "a|b/": "bar",
    "a^b/": "caret",
    "~/": "tilde",
    "a+b/": "plus",
    "a&b/": "ampersand",
    "a=b/": "equals",
    "a;b/": "semicolon",
    "a@b/": "at",
    "a,b/": "comma",
    "$a/": "dollar",
    "a`b/": "tick",
}
FOREIGN_BUCKETS = [
    "a..b",
    "bucket.2024",
    "a-.b",
    "a.-b",
    "1.2.3.4",
    "-ab",
    "ab-",
    ".ab",
    "ab.",
    "Ab1",
    "a_b",
    "ab",
    "a b",
    "a/b",
    "a:b",
    "bücket",
    "%61bc",
    "abc\n",
    "",
    "a" * 64,
]


@pytest.mark.parametrize("prefix", FOREIGN_PREFIXES, ids=FOREIGN_PREFIXES.get)
def test_a_prefix_that_somebody_reads_differently_is_refused_with_a_sentence(prefix: str) -> None:
    with pytest.raises(ValidationError, match="Flink would write elsewhere than the controller looks"):
        spec(**{"staging.prefix": prefix})


@pytest.mark.parametrize("bucket", FOREIGN_BUCKETS, ids=repr)
def test_a_bucket_that_no_address_can_name_is_refused(bucket: str) -> None:
    with pytest.raises(ValidationError):
        spec(**{"staging.bucket": bucket})


@pytest.mark.parametrize("prefix", ["", "a/", "a/b/", "lindorm-import/", "..a/", "a./", "_tmp/.x/", "(1)!/it's/"])
def test_a_prefix_that_all_read_alike_is_taken(prefix: str) -> None:
    assert spec(**{"staging.prefix": prefix}).staging.prefix == prefix


@pytest.mark.parametrize(
    "uri", ["s3://logs/a/../b", "s3://logs//", "s3://logs", "s3://a..b/x", "s3://logs/a%20b", "s3a://l/x"]
)
def test_an_address_for_logs_that_somebody_reads_differently_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError, match="s3://BUCKET/PREFIX"):
        spec(**{"job.monitoring": {"s3LogURI": uri}})


@pytest.mark.parametrize(
    "key",
    ["state.checkpoints.dir", "execution.checkpointing.dir", "state.savepoints.dir", "high-availability.storageDir"],
)
def test_flink_keeps_nothing_elsewhere_than_the_controller_looks(key: str) -> None:
    with pytest.raises(ValidationError, match="the controller looks below"):
        spec(**{"job.flinkConfiguration": {key: "s3://elsewhere/x"}})


@pytest.mark.parametrize("database", ["a%41", "a+b", "a&b", "a;b", "a\\b", "a\x01b", "a b", ""])
def test_a_database_that_drivers_decode_differently_is_refused(database: str) -> None:
    with pytest.raises(ValidationError):
        spec(**{"source.url": f"jdbc:mysql://ld.example:33060/{database}"})


PROGRAM = """
import java.io.*;
import java.nio.charset.StandardCharsets;

/** For each address on standard input: its host, and its key as Flink and then Hadoop read it; or the error. */
public class Read {
    public static void main(String[] arguments) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line; (line = lines.readLine()) != null; ) {
            try {
                org.apache.flink.core.fs.Path flink = new org.apache.flink.core.fs.Path(line);
                org.apache.hadoop.fs.Path hadoop = new org.apache.hadoop.fs.Path(flink.toString());
                out.println(hadoop.toUri().getHost() + " " + hadoop.toUri().getPath());
            } catch (RuntimeException e) {
                out.println("refused " + e);
            }
        }
    }
}
"""


@cache
def reader() -> tuple[str, ...]:
    """The command that reads addresses as the job does."""
    where = layout()
    flink = next(where.flink_home.glob("lib/flink-dist-*.jar"))
    return ("java", "-XX:TieredStopAtLevel=1", "-cp", f"{flink}:{where.s3_plugin}")


def read(folder: Path, addresses: Sequence[str]) -> list[tuple[str, str]]:
    """Host and key of each, by the classes that the job has."""
    program = folder / "Read.java"
    program.write_text(PROGRAM)
    told = subprocess.run(
        [*reader(), str(program)], input="\n".join(addresses) + "\n", capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert len(lines) == len(addresses)
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].removeprefix("/")) for line in lines]


@pytest.mark.stack
def test_flink_and_hadoop_read_every_address_that_is_taken_as_it_stands(tmp_path: Path) -> None:
    """Some thousand drawn from the rules themselves."""
    addresses: dict[str, tuple[str, str]] = {}

    @settings(max_examples=1500, deadline=None, derandomize=True, database=None)
    @given(
        st.from_regex(BUCKET_PATTERN, fullmatch=True).filter(lambda b: 3 <= len(b) <= 63),
        st.from_regex(PREFIX_PATTERN, fullmatch=True).filter(lambda p: len(p) <= 512),
    )
    def draw(bucket: str, prefix: str) -> None:
        if bucket.endswith("\n") or prefix.endswith("\n"):
            return
        staging = spec(**{"staging.bucket": bucket, "staging.prefix": prefix}).staging
        key = names.run_prefix(staging, "team", "a.b-c", UID) + "checkpoints"
        addresses[f"s3://{bucket}/{key}"] = (bucket, key)

    draw()
    assert len(addresses) > 1000
    wrong = [(a, was) for a, was in zip(addresses, read(tmp_path, list(addresses)), strict=True) if was != addresses[a]]
    assert wrong == []


@pytest.mark.stack
def test_flink_and_hadoop_do_read_others_differently(tmp_path: Path) -> None:
    """Otherwise the rules would refuse for nothing."""
    found = read(tmp_path, [f"s3://my-bucket/{key}" for key in ("a/./b/c", "x/../y/c", "a//b/c")])
    assert [key for _, key in found] == ["a/b/c", "y/c", "a/b/c"]
    hosts = read(tmp_path, [f"s3://{bucket}/c" for bucket in ("a..b", "bucket.2024", "a-.b")])
    assert [host for host, _ in hosts] == ["null", "null", "null"]


@settings(max_examples=200, deadline=None)
@given(st.from_regex(S3_URI_PATTERN, fullmatch=True))
def test_an_address_for_logs_has_no_segment_that_vanishes(uri: str) -> None:
    key = uri.split("/", 3)[3]
    assert not {".", ".."} & set(key.split("/"))
    assert "//" not in key

"""From samples to figures: slopes, medians, ratios, shares of a profile."""

from collections import Counter

import pytest

from bench.capacity import SHAPES, ZIPF_EXPONENT, ZIPF_KEYS, figures_of, zipf_keys, zipf_shares
from bench.cpu import Sample, Slope, steady
from bench.profile import PARTS, flame_graph, samples, shares
from bench.results import case, of_slope, ratio, rounded


def test_the_steady_part_leaves_out_a_slow_start_and_the_wait_at_the_end() -> None:
    # 10 s in which nothing comes, 100 rows a second at half a core for 10 s, 10 s of waiting for a checkpoint.
    counts = [0] * 100 + [10 * n for n in range(101)] + [1000] * 100
    taken = [Sample(at=n / 10, count=count, cpu=n / 20) for n, count in enumerate(counts)]

    slope = steady(taken)

    assert slope.rows_per_second == pytest.approx(100)
    assert slope.rows_per_cpu_second == pytest.approx(200)
    assert slope.cpu_seconds_per_million_rows == pytest.approx(5_000)


def test_a_run_too_short_to_be_sampled_has_no_steady_part() -> None:
    with pytest.raises(ValueError, match="only 0 samples"):
        steady([Sample(0.0, 0, 0.0), Sample(0.2, 1000, 0.1)])


def test_a_case_has_the_median_of_its_rounds_and_the_rounds() -> None:
    assert case([{"a": 3.0}, {"a": 1.0}, {"a": 2.0}]) == {"a": 2.0, "rounds": {"a": [3.0, 1.0, 2.0]}}


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_round_disturbs_neither() -> None:
    ours, theirs = [{"cpu": 1.0}, {"cpu": 10.0}, {"cpu": 1.1}], [{"cpu": 2.0}, {"cpu": 20.0}, {"cpu": 2.0}]

    assert ratio(ours, theirs, "cpu") == 0.5


def test_four_digits_of_a_figure_are_kept_whatever_its_size() -> None:
    assert [rounded(value) for value in (123_456.0, 0.0123456, 0.0)] == [123_500.0, 0.01235, 0.0]


def test_a_slope_becomes_figures_with_their_unit_in_the_name() -> None:
    assert of_slope(Slope(rows=2_000_000, seconds=10, cpu=40)) == {
        "rowsPerSecond": 200_000,
        "rowsPerCpuSecond": 50_000,
        "cpuSecondsPerMillionRows": 20,
    }


def test_zipf_keys_come_with_their_shares() -> None:
    keys = zipf_keys(20_000, ZIPF_EXPONENT)

    assert max(keys) < ZIPF_KEYS
    assert Counter(keys)[0] / 20_000 == pytest.approx(zipf_shares(ZIPF_EXPONENT)[0], abs=0.01)
    assert keys == zipf_keys(20_000, ZIPF_EXPONENT)


def test_the_hottest_zipf_key_alone_limits_what_partitions_allow() -> None:
    allowed = {shape.name: shape.allowed for shape in SHAPES}

    assert 0.8 < allowed["zipf"] < 1.0
    assert allowed["hot"] == 0.25


def test_what_is_used_is_compared_with_the_table_and_with_what_its_partitions_allow() -> None:
    hot = next(shape for shape in SHAPES if shape.name == "hot")
    before = {"ConsumedWriteCapacityUnits": 100.0}
    after = {"ConsumedWriteCapacityUnits": 1_100.0, "WriteThrottleEvents": 250.0}

    assert figures_of(hot, before, after, table_units=5_000) == {
        "capacityUsed": 0.2,
        "usedOfAllowed": 0.8,
        "throttledShare": 0.2,
    }


RECORDED = {
    "recording": {
        "events": [
            {
                "values": {
                    "stackTrace": {
                        "frames": [
                            {"method": {"type": {"name": "java/util/HashMap"}, "name": "put"}},
                            {"method": {"type": {"name": "software/amazon/awssdk/auth/Signer"}, "name": "sign"}},
                            {"method": {"type": {"name": "org/apache/flink/Task"}, "name": "run"}},
                        ]
                    }
                }
            },
            {
                "values": {
                    "stackTrace": {"frames": [{"method": {"type": {"name": "org/apache/flink/Task"}, "name": "run"}}]}
                }
            },
            {"values": {"stackTrace": None}},
        ]
    }
}


def test_a_sample_counts_for_the_innermost_part_that_is_known() -> None:
    found = shares(samples(RECORDED))

    assert found["signingShare"] == 0.5
    assert found["flinkShare"] == 0.5
    assert sum(found[name] for name, _ in PARTS) + found["otherShare"] == pytest.approx(1)


def test_a_flame_graph_names_each_frame_and_its_share() -> None:
    drawn = flame_graph(samples(RECORDED), "a <title>")

    assert "org.apache.flink.Task.run 100.0%" in drawn
    assert "java.util.HashMap.put 50.0%" in drawn
    assert "a &lt;title&gt;" in drawn

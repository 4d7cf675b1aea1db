"""The soak of `tests/soak.py`, shortened: neither the dashboard nor its workers grow while fits of ever new shapes come."""

from itertools import islice

import pytest

from tests.soak import serving, soak

WORKER_MB = 960
"""A worker holds some 640 MB once it is warm, and grows by 10 to 20 MB a shape: beyond two thirds of this it is replaced."""


@pytest.mark.long
def test_neither_the_dashboard_nor_its_workers_grow_with_fits_of_ever_new_shapes(tmp_path):
    with serving(tmp_path, FORECASTING_SLOTS="1", FORECASTING_WORKER_MB=str(WORKER_MB)) as server:
        samples = list(islice(soak(server, seconds=250), 12))
    assert len(samples) == 12 and samples[-1].failed == 0
    assert len(set().union(*(sample.pids for sample in samples))) > 1, "a worker that had grown was replaced"
    assert max(sample.workers for sample in samples) < WORKER_MB
    grown = samples[-1].server - samples[3].server
    assert grown < 40, f"the dashboard has grown by {grown:.0f} MB in {len(samples) - 4} runs"

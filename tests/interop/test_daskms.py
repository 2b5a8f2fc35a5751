"""dask-ms opens it as arrays."""

import casacore.tables as ct
import numpy as np
import pytest

dask = pytest.importorskip("dask", reason="dask-ms is not installed")
daskms = pytest.importorskip("daskms", reason="dask-ms is not installed")

SUBTABLES = (
    *("ANTENNA", "DATA_DESCRIPTION", "FEED", "FIELD", "HISTORY", "OBSERVATION", "POLARIZATION", "PROCESSOR"),
    *("SOURCE", "SPECTRAL_WINDOW", "STATE"),
)


def test_columns_have_the_right_shapes_and_values(observed):
    (dataset,) = daskms.xds_from_ms(str(observed.ms), chunks={"row": 105, "chan": 48})
    n_antennas = len(observed.truth["antennas"])
    n_rows = n_antennas * (n_antennas + 1) // 2 * len(observed.truth["mjd"])
    assert dataset.DATA.shape == dataset.FLAG.shape == (n_rows, 768, 2)
    assert dataset.DATA.dtype == np.complex64
    assert dataset.UVW.shape == (n_rows, 3)
    with ct.table(str(observed.ms), ack=False) as ms:
        for column in ("DATA", "FLAG", "UVW", "TIME", "ANTENNA1", "ANTENNA2", "WEIGHT", "SIGMA"):
            np.testing.assert_array_equal(dataset[column].data.compute(scheduler="sync"), ms.getcol(column))


@pytest.mark.parametrize("name", SUBTABLES)
def test_subtables_open(observed, name):
    (dataset,) = daskms.xds_from_table(f"{observed.ms}::{name}")
    assert dataset.sizes["row"] > 0
    dataset.compute(scheduler="sync")


def test_a_column_can_be_added(copied):
    (dataset,) = daskms.xds_from_ms(str(copied))
    corrected = dataset.assign(CORRECTED_DATA=(dataset.DATA.dims, dataset.DATA.data * 2))
    dask.compute(daskms.xds_to_table([corrected], str(copied), ["CORRECTED_DATA"]), scheduler="sync")
    with ct.table(str(copied), ack=False) as ms:
        np.testing.assert_array_equal(ms.getcol("CORRECTED_DATA"), 2 * ms.getcol("DATA"))

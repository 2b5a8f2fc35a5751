"""Tables for others come back as they were written, with their units."""

import numpy as np
import pytest
from astropy.table import QTable

from dsa110_contimg.catalogue.parquet import read_parquet
from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.errors import OutputError, OutputExistsError, UsageError
from dsa110_contimg.lightcurves.days import days_of
from dsa110_contimg.lightcurves.exports import measurements_table, require_export, require_new, write_export
from dsa110_contimg.lightcurves.variables import variables_of, variables_table
from dsa110_contimg.photometry.measurements import COLUMNS, source_id
from dsa110_contimg.simulation.months import Behaviour, simulate_months
from simulated_store import rows_of_day


@pytest.fixture(scope="module")
def month():
    kinds = {Behaviour.STEADY: 10, Behaviour.DIP: 1}
    return simulate_months(kinds, n_days=40, seed=5, size=(0.5, 0.5), width_d=(5.0, 5.0), flux_jy=(0.1, 1.0))


@pytest.fixture(scope="module")
def table(month):
    numbers = np.repeat(source_id(month.ra_deg, month.dec_deg), 40)
    days = days_of(numbers, month.mjd.ravel(), month.flux["full"].ravel(), month.e_flux["full"].ravel())
    found = variables_of(days, "+54.6", LightcurveSettings())
    made = variables_table(found, found.order())
    assert made["event"][0]
    return made


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".vot"])
def test_tables_come_back_as_they_were(table, tmp_path, ending):
    path = tmp_path / f"variables{ending}"
    write_export(path, table)
    back = (
        read_parquet(path)
        if ending == ".parquet"
        else QTable.read(path, format="votable" if ending == ".vot" else "ascii.csv")
    )
    assert back.colnames == table.colnames
    np.testing.assert_array_equal(np.asarray(back["source_id"]), table["source_id"])
    np.testing.assert_allclose(np.asarray(back["mean"]), table["mean"].value)
    assert list(np.ma.filled(np.ma.asarray(back["event"]), "")) == list(table["event"])
    if ending != ".csv":
        assert str(back["mean"].unit) == "Jy"
        assert back["eta"].info.description
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_measurements_have_units_too(month, tmp_path):
    rows = rows_of_day(month, 0, "20251005T123456+54.6")
    table = measurements_table(rows)
    assert table.colnames == list(COLUMNS)
    assert str(table["corrected"].unit) == "Jy"
    for ending in (".csv", ".parquet", ".vot"):
        write_export(tmp_path / f"rows{ending}", table)
    assert len(QTable.read(tmp_path / "rows.vot", format="votable")) == rows.num_rows


def test_names_of_exports_are_checked(tmp_path):
    with pytest.raises(UsageError, match="says no format"):
        require_export(tmp_path / "a.doc", replace=False)
    (tmp_path / "a.csv").touch()
    with pytest.raises(OutputExistsError, match="it is there already"):
        require_new(tmp_path / "a.csv", replace=False)
    require_export(tmp_path / "a.csv", replace=True)
    with pytest.raises(OutputError, match="cannot be written"):
        write_export(tmp_path / "no" / "a.csv", QTable({"a": [1]}))

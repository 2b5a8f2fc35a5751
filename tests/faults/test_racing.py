"""Several converters on one output make one product."""

from convert_process import TIMEOUT_S, partials, start_convert


def test_four_converters_make_one_product(undisturbed, tmp_path):
    products = tmp_path / "ms"
    processes = [start_convert(undisturbed.incoming, products, "--workers", 1) for _ in range(4)]
    said = [process.communicate(timeout=TIMEOUT_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], said
    assert not any("Traceback" in text for text in said)
    assert undisturbed.check(products)
    assert partials(products) == []


def test_two_that_overwrite_leave_one_whole_product(undisturbed, tmp_path):
    products = tmp_path / "ms"
    processes = [start_convert(undisturbed.incoming, products, "--workers", 1, "--overwrite") for _ in range(2)]
    said = [process.communicate(timeout=TIMEOUT_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert undisturbed.check(products)
    assert partials(products) == []

"""One group with all that ails a group, for every test of the room."""

import pytest

from flagged_groups import DEAD, DEAF, ONE_POL_DEAD, make_group


@pytest.fixture(scope="package")
def group(tmp_path_factory):
    """A field of faint sources, strong interference, one antenna dead, one in XX only, one deaf."""
    return make_group(tmp_path_factory.mktemp("flagging"), dead=(DEAD,), one_pol_dead=(ONE_POL_DEAD,), deaf=(DEAF,))

"""Where the ledger and the disks differ."""

from pathlib import Path

from dsa110_contimg.errors import NamingError
from dsa110_contimg.ledger.decisions import read_decisions
from dsa110_contimg.ledger.ledger import Ledger
from dsa110_contimg.ledger.records import Decision
from dsa110_contimg.naming import parse_subband_name
from dsa110_contimg.pipeline.inventory import find_products, tree_bytes


def differences(ledger: Ledger, incoming: Path, products: Path) -> list[str]:
    """Say, a line each, where a ledger differs from the disks, or contradicts itself; it is not changed."""
    lines = ledger.inconsistencies()
    on_disk = {item.product.path: item for item in find_products(products)}
    recorded = ledger.live_products()
    for path, (group_id, product) in recorded.items():
        if path in on_disk or path.exists():
            size = tree_bytes(path)
            if size < product.size_bytes:  # more is no sign of harm: casacore's readers write into table.lock
                lines.append(f"{group_id}: {path} has {size} bytes, and {product.size_bytes} were published")
        else:
            lines.append(f"{group_id}: {path} is gone")
    ever = ledger.product_paths()
    lines += [f"{item.group_id}: {path} is not in the ledger" for path, item in on_disk.items() if path not in ever]
    return lines + _unseen(ledger, incoming) + _undecided(ledger)


def _unseen(ledger: Ledger, incoming: Path) -> list[str]:
    paths = []
    if incoming.is_dir():
        for path in sorted(incoming.iterdir()):
            try:
                parse_subband_name(path.name)
            except NamingError:
                continue
            paths.append(path.absolute())
    known = ledger.known_files(paths)
    return [f"{path} is not in the ledger" for path in paths if path not in known]


def _undecided(ledger: Ledger) -> list[str]:
    if ledger.decisions_path is None:
        return []
    kept = {item for item in read_decisions(ledger.decisions_path) if isinstance(item, Decision)}
    here = set(ledger.decisions())
    lines = [f"{item.group_id}: {item.what} by {item.who} is not in the ledger" for item in kept - here]
    return lines + [f"{item.group_id}: {item.what} by {item.who} is not beside the products" for item in here - kept]

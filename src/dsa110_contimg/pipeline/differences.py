"""Where the ledger and the disks differ."""

from collections.abc import Iterator
from pathlib import Path

from dsa110_contimg.errors import NamingError
from dsa110_contimg.ledger.decisions import read_decisions
from dsa110_contimg.ledger.ledger import Ledger
from dsa110_contimg.ledger.records import Decision, Product
from dsa110_contimg.naming import parse_subband_name
from dsa110_contimg.pipeline.inventory import find_epochs, find_products
from dsa110_contimg.pipeline.stages import EPOCH
from dsa110_contimg.storage.checksums import tree_bytes, tree_checksum


def differences(ledger: Ledger, incoming: Path, products: Path, *, checksums: bool = False) -> list[str]:
    """Say, a line each, where a ledger differs from the disks, or contradicts itself; it is not changed.

    Parameters
    ----------
    ledger : Ledger
    incoming, products : Path
        Directories of subband files and of products.
    checksums : bool
        Whether to read every product and compare its checksum too.
    """
    lines = ledger.inconsistencies()
    for path, (group_id, product) in ledger.live_products().items():
        lines += [f"{group_id}: {path} {what}" for what in _harm(product, checksums=checksums)]
    ever = ledger.product_paths()
    for found in find_products(products):
        strange = [product.path for product in found.products if product.path not in ever]
        lines += [f"{found.group_id}: {path} is not in the ledger" for path in strange]
    return lines + _of_epochs(ledger, products, checksums=checksums) + _unseen(ledger, incoming) + _undecided(ledger)


def _of_epochs(ledger: Ledger, products: Path, *, checksums: bool) -> list[str]:
    lines = []
    epochs = {epoch.id: epoch for epoch in ledger.epochs()}
    for name, epoch in epochs.items():
        if epoch.path is not None and epoch.retired_utc is None:
            product = Product(epoch.path, EPOCH, epoch.checksum, epoch.size_bytes)
            lines += [f"{name}: {epoch.path} {what}" for what in _harm(product, checksums=checksums)]
    for manifest in find_epochs(products.absolute()):
        known, path = epochs.get(manifest.group), products.absolute() / manifest.products[0].name
        if path.exists() and (known is None or known.published_utc is None):
            lines.append(f"{manifest.group}: {path} is not in the ledger")
    return lines


def _harm(product: Product, *, checksums: bool) -> Iterator[str]:
    """Say what has become of a product."""
    try:
        size_bytes = tree_bytes(product.path)
        if size_bytes != product.size_bytes:
            yield f"has {size_bytes} bytes, and {product.size_bytes} were published"
        elif checksums and product.checksum and tree_checksum(product.path).checksum != product.checksum:
            yield "is not what was published: its checksum differs"
    except FileNotFoundError:
        yield "is gone"
    except OSError as error:
        yield f"cannot be read ({error.strerror})"


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

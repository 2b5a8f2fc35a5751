"""``dsa110-contimg photometry measure``: flux densities where a list has sources, or wherever one asks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json

if TYPE_CHECKING:
    import pyarrow as pa

    from dsa110_contimg.photometry.forced_places import Places, Reference


def measure(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGES...", help="Directories *-images, *-epoch or *-mosaic, or an image in one."),
    ],
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="LIST",
            help="A reference list, or a catalogue with ra, dec, flux; else the current list of the images' strip.",
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="RA,DEC", help="Measure at this place (deg, ICRS), and show it alone; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the rows there (Parquet).")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file that is there already.")] = False,
    as_json: Json = False,
) -> None:
    """Measure flux densities in images, at known places: each with its errors, limits and flags.

    The images stay as they are. A group's half bands are measured, too, where they were imaged.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import OutputExistsError

    directories = list(dict.fromkeys(_directory_of(path.absolute()) for path in paths))
    if output is not None and output.exists() and not replace:
        raise OutputExistsError("is there already", path=output, remedy="Add --replace, or choose another.")
    asked = _asked(at or [])
    table = _measured(session, directories, reference, asked)
    if output is not None:
        _write(output, table, replace=replace)
    rows = table.to_pylist() if asked is not None else []
    summary = _summary(table)
    if as_json:
        emit_json({"images": summary, "rows": rows, "output": output})
    else:
        _print(summary, rows)
    if not table.num_rows:
        typer.echo("None of the places is in these images, or the beam is too faint there.", err=True)
        raise typer.Exit(1)


def _directory_of(path: Path) -> Path:
    """Give the directory that is measured for a path that was typed."""
    from dsa110_contimg.errors import UnreadableFileError

    if not path.exists():
        raise UnreadableFileError("is not there", path=path)
    return path if path.is_dir() else path.parent


def _asked(texts: list[str]) -> "Places | None":
    """Read places that were typed."""
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.photometry.forced_places import places_at

    if not texts:
        return None
    places = []
    for text in texts:
        try:
            ra, dec = (float(part) for part in text.split(","))
            if not (-360.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
                raise ValueError
        except ValueError:
            raise UsageError(f"{text!r} is not a place", remedy="Type degrees: --at 129.35,54.62") from None
        places.append((ra, dec))
    return places_at(*zip(*places, strict=True))


def _measured(session: Session, directories: list[Path], path: Path | None, asked: "Places | None") -> "pa.Table":
    """Measure every directory, with its own list if none is named."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from rich.progress import track

    from dsa110_contimg.photometry.forced_images import measure_directory, together
    from dsa110_contimg.photometry.forced_places import asked_for, read_places

    named = None if path is None else read_places(path)
    tables = []
    console = session.console
    shown = track(directories, "measuring", console=console, transient=True, disable=not console.is_terminal)
    for directory in shown:
        places: Reference | None = named if path is not None else _list_of(session, directory, needed=asked is None)
        if asked is not None:
            places = asked_for(asked, places)
        assert places is not None, "the list was needed"
        tables.append(measure_directory(directory, places, session.settings.photometry))
    table = together(tables)
    return table if asked is None else table.filter(pc.is_in(table["source_id"], pa.array(asked.source_id)))


def _list_of(session: Session, directory: Path, *, needed: bool) -> "Reference | None":
    """Read the current list of the strip that a directory is of; None if there is none and it is not needed."""
    from dsa110_contimg.errors import NoReferenceListError
    from dsa110_contimg.photometry.reference import read_reference

    try:
        lightcurves = session.settings.lightcurves_directory
        return read_reference(lightcurves, _strip_of(directory, lightcurves))
    except NoReferenceListError:
        if needed:
            raise
        return None


def _strip_of(directory: Path, lightcurves: Path) -> str:
    """Say which strip images are of: as an epoch is named, or by their pointing."""
    from dsa110_contimg.errors import NamingError, UsageError
    from dsa110_contimg.mosaic.epochs import strip_of
    from dsa110_contimg.mosaic.inputs import find_inputs
    from dsa110_contimg.naming import mosaic_record_name, parse_epoch_directory_name, parse_epoch_id, parse_mosaic_name
    from dsa110_contimg.photometry.forced_images import images_of_record
    from dsa110_contimg.photometry.reference import strips_with_lists
    from dsa110_contimg.telescope.band import HEADER_SITE

    try:
        return parse_epoch_id(parse_epoch_directory_name(directory.name)).strip
    except NamingError:
        pass
    try:
        record = directory / mosaic_record_name(*parse_mosaic_name(directory.name))
    except NamingError:
        inputs = find_inputs([directory])
    else:
        inputs = find_inputs([image for image, _ in images_of_record(record)])
    if not inputs:
        raise UsageError("has no images", path=directory, remedy="Name *-images, *-epoch or *-mosaic directories.")
    return strip_of(inputs, HEADER_SITE, strips_with_lists(lightcurves))


def _write(output: Path, table: "pa.Table", *, replace: bool) -> None:
    """Write the rows, whole or not at all."""
    from dsa110_contimg.naming import group_id_from_mjd
    from dsa110_contimg.photometry.forced_images import write_measurements
    from dsa110_contimg.storage.files import sync_tree
    from dsa110_contimg.storage.publish import partial_directory, publish

    began = min(table["mjd"].to_pylist(), default=0.0)
    with partial_directory(output.absolute().parent, group_id_from_mjd(began)) as partial:
        product = partial / output.name
        write_measurements(product, table)
        sync_tree(partial)
        publish(product, output, replace=replace)


def _summary(table: "pa.Table") -> list[dict[str, Any]]:
    """What was measured in each image and band."""
    import numpy as np

    from dsa110_contimg.photometry.measurements import Flag

    images = {}
    names = list(zip(*(table[name].to_pylist() for name in ("image", "kind", "band")), strict=True))
    flags, rms = table["flags"].to_numpy(), table["rms"].to_numpy()
    for key in dict.fromkeys(names):
        here = np.array([name == key for name in names])
        images[key] = {
            "image": key[0],
            "kind": key[1],
            "band": key[2],
            "measured": int(here.sum()),
            "detected": int(np.count_nonzero((flags[here] & Flag.UPPER_LIMIT) == 0)),
            "rms_jy": float(np.median(rms[here])),
            "flags": {str(flag.name): int(np.count_nonzero(flags[here] & flag)) for flag in Flag},
        }
    return list(images.values())


def _print(summary: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    from dsa110_contimg.photometry.measurements import Flag, position_of

    for row in rows:
        ra, dec = (float(value) for value in position_of(row["source_id"]))
        error = (row["e_flux"] ** 2 + row["e_beam"] ** 2 + row["e_calibration"] ** 2) ** 0.5
        words = ",".join(str(flag.name).lower().replace("_", "-") for flag in Flag if row["flags"] & flag)
        limit = f"  < {row['upper_limit'] * 1e3:.2f}" if row["flags"] & Flag.UPPER_LIMIT else ""
        flux, noise, error = (value * 1e3 for value in (row["flux"], row["e_flux"], error))
        typer.echo(
            f"{ra:.5f} {dec:+.5f}  {row['image']} {row['band']:5s}  {flux:.2f} +- {noise:.2f} mJy of noise, "
            f"+- {error:.2f} of all{limit}  {words}".rstrip()
        )
    if not rows:
        for one in summary:
            typer.echo(
                f"{one['image']} {one['band']:5s}  {one['measured']} measured, {one['detected']} detected, "
                f"noise {one['rms_jy'] * 1e3:.3f} mJy"
            )

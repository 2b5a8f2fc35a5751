"""What jobs are told for making images, catalogues and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.config.settings import Settings

_STAGES = {"image", "catalogue", "report"}


def imaging_options(settings: Settings) -> dict[str, dict[str, Any]]:
    """Resolve what the stages image, catalogue and report have to know."""
    if not _STAGES.intersection(settings.stream.stages):
        return {}
    image = settings.image.model_dump(mode="json") | {"seed": _text(settings.image.seed)}
    if settings.image.half_bands is None:
        image["half_bands"] = True
    catalogue = settings.catalogue.model_dump(mode="json") | {
        "reference": _reference(settings.catalogue.reference),
        "directory": str(settings.catalogue.directory.absolute()),
    }
    return {
        "image": {"settings": image, "catalogue": catalogue, "apply": settings.apply.model_dump()},
        "catalogue": {"settings": catalogue, "quality": settings.quality.model_dump(mode="json")},
        "report": {},
    }


def _reference(path: Path | None) -> str | None:
    """Write the path of a table, or the name of a catalogue that was fetched."""
    return str(path) if path is not None and not path.exists() else _text(path)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())

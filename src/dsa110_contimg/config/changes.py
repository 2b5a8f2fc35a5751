"""Settings with what the command line says in their place."""

from typing import Any

from pydantic import ValidationError

from dsa110_contimg.config.settings import Settings
from dsa110_contimg.errors import SettingsError


def with_changes(settings: Settings, **sections: dict[str, Any]) -> Settings:
    """Return settings in which the values that are not None replace those of their sections.

    Raises
    ------
    SettingsError
        One of them cannot be.
    """
    changed = {}
    for name, values in sections.items():
        section = getattr(settings, name)
        said = {key: value for key, value in values.items() if value is not None}
        try:
            changed[name] = type(section).model_validate(section.model_dump() | said)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, (name, *first["loc"])))
            raise SettingsError(f"{key}: {first['msg']}") from error
    return settings.model_copy(update=changed)

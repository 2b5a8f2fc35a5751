"""The settings as models: every value that can be set, its default, and what it means.

The models are frozen, refuse unknown keys, and carry the documentation of each field as its description.
`dsa110_contimg.config.load_settings` is the way to get one.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dsa110_contimg.config.sections_calibration import (
    ApplySettings,
    CalibrateSettings,
    SetsSettings,
)
from dsa110_contimg.config.sections_data import (
    ConvertSettings,
    FlagSettings,
    LoggingSettings,
    PathSettings,
    TelescopeSettings,
)
from dsa110_contimg.config.sections_images import (
    CatalogueSettings,
    ImageSettings,
    MosaicSettings,
    QualitySettings,
)
from dsa110_contimg.config.sections_lightcurves import (
    BeamSettings,
    EpochSettings,
    LightcurveSettings,
    PhotometrySettings,
)
from dsa110_contimg.config.sections_operation import (
    HousekeepingSettings,
    KeepSettings,
    QuicklooksSettings,
    RetentionSettings,
    ScratchSettings,
    StreamSettings,
)

__all__ = [
    "PathSettings",
    "ConvertSettings",
    "FlagSettings",
    "TelescopeSettings",
    "ScratchSettings",
    "LoggingSettings",
    "StreamSettings",
    "CalibrateSettings",
    "ApplySettings",
    "SetsSettings",
    "ImageSettings",
    "CatalogueSettings",
    "QualitySettings",
    "QuicklooksSettings",
    "HousekeepingSettings",
    "MosaicSettings",
    "EpochSettings",
    "PhotometrySettings",
    "LightcurveSettings",
    "BeamSettings",
    "KeepSettings",
    "RetentionSettings",
    "Settings",
]

ENV_PREFIX = "DSA110_CONTIMG_"
ENV_DELIMITER = "__"


class Settings(BaseSettings):
    """Every setting, validated.

    Built from keyword arguments, which the environment (``DSA110_CONTIMG_SECTION__KEY``) overrides.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        env_parse_none_str="none",
        extra="forbid",
        frozen=True,
    )

    paths: PathSettings = Field(default_factory=PathSettings)
    convert: ConvertSettings = Field(default_factory=ConvertSettings)
    flag: FlagSettings = Field(default_factory=FlagSettings)
    telescope: TelescopeSettings = Field(default_factory=TelescopeSettings)
    stream: StreamSettings = Field(default_factory=StreamSettings)
    calibrate: CalibrateSettings = Field(default_factory=CalibrateSettings)
    apply: ApplySettings = Field(default_factory=ApplySettings)
    sets: SetsSettings = Field(default_factory=SetsSettings)
    image: ImageSettings = Field(default_factory=ImageSettings)
    catalogue: CatalogueSettings = Field(default_factory=CatalogueSettings)
    quality: QualitySettings = Field(default_factory=QualitySettings)
    quicklooks: QuicklooksSettings = Field(default_factory=QuicklooksSettings)
    scratch: ScratchSettings = Field(default_factory=ScratchSettings)
    housekeeping: HousekeepingSettings = Field(default_factory=HousekeepingSettings)
    mosaic: MosaicSettings = Field(default_factory=MosaicSettings)
    epochs: EpochSettings = Field(default_factory=EpochSettings)
    photometry: PhotometrySettings = Field(default_factory=PhotometrySettings)
    lightcurves: LightcurveSettings = Field(default_factory=LightcurveSettings)
    beams: BeamSettings = Field(default_factory=BeamSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)

    @property
    def lightcurves_directory(self) -> Path:
        """Where the measurements are kept: `lightcurves.directory`, or ``lightcurves`` beside `paths.ms`."""
        return self.lightcurves.directory or self.paths.ms.parent / "lightcurves"

    @property
    def beams_directory(self) -> Path:
        """Where fitted beams are kept: `beams.directory`, or ``beams`` beside `paths.ms`."""
        return self.beams.directory or self.paths.ms.parent / "beams"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which arrives as keyword arguments."""
        return env_settings, init_settings

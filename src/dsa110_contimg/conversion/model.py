"""What a calibrator's visibilities should be: MODEL_DATA of a source at the phase centre."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from dsa110_contimg.catalogue.spectra import REFERENCE_HZ
from dsa110_contimg.conversion.helpers import PhaseCentre
from dsa110_contimg.telescope.beams import AiryBeam, beam_offsets
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.transits import nearest_transit, utc_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.catalogue.calibrators import Calibrator
    from dsa110_contimg.catalogue.spectra import Spectrum
    from dsa110_contimg.conversion.plan import ConversionPlan
    from dsa110_contimg.telescope.beams import BeamModel

ModelKind = Literal["apparent", "intrinsic"]


@dataclass(frozen=True)
class CalibratorModel:
    """The calibrator of a Measurement Set, and how its MODEL_DATA is made.

    Attributes
    ----------
    calibrator : Calibrator
        The source, a point.
    spectrum : Spectrum
        Its flux density over frequency.
    kind : {"apparent", "intrinsic"}
        "apparent": the spectrum times the power of the beam, through which the source drifts; gains are then those of
        the receivers, and calibrate any direction. "intrinsic": the spectrum alone; gains then have the beam in them.
    beam : BeamModel
        The primary beam.
    """

    calibrator: Calibrator
    spectrum: Spectrum
    kind: ModelKind = "apparent"
    beam: BeamModel = field(default_factory=AiryBeam)

    #: What the Measurement Set is for, in CASA's words.
    OBS_MODE: ClassVar[str] = "CALIBRATE_BANDPASS#ON_SOURCE,CALIBRATE_FLUX#ON_SOURCE,CALIBRATE_PHASE#ON_SOURCE"

    @property
    def label(self) -> str:
        """Name of the source in names of files and of the field."""
        return self.calibrator.label

    @property
    def phase_centre(self) -> PhaseCentre:
        """The source's place, under its name."""
        return PhaseCentre("given", self.calibrator.ra_deg, self.calibrator.dec_deg, self.calibrator.label)

    def flux_jy(self, plan: ConversionPlan) -> NDArray[np.float64]:
        """Flux density in each time and channel of the Measurement Set, shape (T', C') [Jy].

        The beam is taken at the apparent place of the source in the middle of each of the correlator's integrations,
        and in each of its channels; these are then averaged as the data are.
        """
        flux = np.broadcast_to(self.spectrum.flux_jy(plan.freq_hz), (plan.times_mjd.size, plan.freq_hz.size))
        if self.kind == "apparent":
            flux = flux * self._beam_power(plan, plan.times_mjd, plan.freq_hz)
        times, channels = plan.averaging.times, plan.averaging.channels
        blocks = flux.reshape(plan.times_mjd.size // times, times, plan.freq_hz.size // channels, channels)
        return np.asarray(blocks.mean(axis=(1, 3)))

    def facts(self, plan: ConversionPlan) -> dict[str, Any]:
        """Return what is recorded of the model in the Measurement Set's provenance."""
        source, header = self.calibrator, next(iter(plan.headers.values()))
        transit = nearest_transit(source.ra_deg, source.dec_deg, float(plan.times_mjd.mean()), header.site)
        return {
            "name": source.label,
            "j2000_name": source.name,
            "alt_name": source.alt_name,
            "ra_deg": source.ra_deg,
            "dec_deg": source.dec_deg,
            "quality_20cm": source.quality_20cm,
            "flux_1p4ghz_jy": float(self.spectrum.flux_jy(REFERENCE_HZ)),
            "spectrum": self.spectrum.origin,
            "log10_jy_ghz_coefficients": list(self.spectrum.coefficients),
            "model": self.kind,
            "beam": self.beam.description if self.kind == "apparent" else None,
            "transit_utc": utc_of(transit.mjd).replace(tzinfo=None).isoformat(timespec="milliseconds"),
            "offset_deg": transit.dec_deg - float(np.degrees(header.dec_rad)),
            "beam_power_at_transit": self._beam_power(plan, np.array([transit.mjd]), np.array([REFERENCE_HZ])).item(),
        }

    def _beam_power(
        self, plan: ConversionPlan, mjd: NDArray[np.float64], freq_hz: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Power of the beam towards the source, shape (T, C)."""
        header = next(iter(plan.headers.values()))
        source = apparent_directions([self.calibrator.ra_deg], [self.calibrator.dec_deg], mjd, header.site)
        east, north = beam_offsets(source, header.dec_rad)
        return self.beam.power(east, north, freq_hz)

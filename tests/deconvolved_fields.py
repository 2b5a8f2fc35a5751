"""Dirty images of point sources and their PSF, made by direct Fourier sums over a random uv coverage: no gridder."""

import numpy as np

from dsa110_contimg.images.fits import RestoringBeam

CELL_RAD = np.radians(10.0 / 3600.0)
FREQ_EDGES_HZ = (1.31e9, 1.50e9)


class Field:
    """A small sky without w-terms, seen by one snapshot.

    Parameters
    ----------
    sources : list of (row, column, Jy)
        On pixels.
    n_pixels : int
    noise_jy : float
        Of the real and the imaginary part of a visibility.
    n_bands : int
        Sub-bands; the PSF shrinks with frequency.
    alpha : float
        Spectral index of all sources.
    """

    def __init__(self, sources, n_pixels=128, noise_jy=0.0, n_bands=1, alpha=0.0, n_visibilities=1200, seed=1):
        rng = np.random.default_rng(seed)
        uv_m = rng.normal(0, 250.0, (n_visibilities, 2))
        self.n_pixels, edges = n_pixels, np.linspace(*FREQ_EDGES_HZ, n_bands + 1)
        self.edges_hz = np.stack([edges[:-1], edges[1:]], axis=1)
        self.freq_hz = edges[:-1] + np.diff(edges) / 2
        offsets = (np.arange(n_pixels) - n_pixels // 2) * CELL_RAD
        self._phasors = []
        self._data = []
        for freq_hz in self.freq_hz:
            u, v = uv_m.T * freq_hz / 299792458.0
            self._phasors.append((np.exp(2j * np.pi * np.outer(v, offsets)), np.exp(2j * np.pi * np.outer(u, offsets))))
            noise = rng.normal(0, 1, (2, n_visibilities)) * noise_jy
            sky = np.zeros((n_pixels, n_pixels))
            for row, column, flux in sources:
                sky[row, column] += flux * (freq_hz / 1.4e9) ** alpha
            self._data.append(self._predict(len(self._data), sky) + noise[0] + 1j * noise[1])
        self.psfs = np.stack([self._image(k, np.ones(n_visibilities)) for k in range(n_bands)])
        self.weights = np.ones(n_bands)
        self.thermal_jy = noise_jy / np.sqrt(n_visibilities * n_bands)
        width_deg = np.degrees(CELL_RAD) * 2 * np.sqrt((self.psfs[0] > 0.5).sum() / np.pi)
        self.beam = RestoringBeam(width_deg, width_deg, 0.0)

    def _predict(self, band, sky):
        rows, columns = self._phasors[band]
        return np.sum((rows @ sky) * columns, axis=1)

    def _image(self, band, visibilities):
        rows, columns = self._phasors[band]
        image = ((rows.conj() * visibilities[:, None]).T @ columns.conj()).real
        return (image / visibilities.size).astype(np.float32)

    def residuals(self, models):
        """Images (K, N, N) of what the models leave of the visibilities."""
        return np.stack([self._image(k, self._data[k] - self._predict(k, models[k])) for k in range(len(self._data))])

    def clean(self, deconvolver, most_cycles=8):
        """Run major cycles; return models, final residuals, and how many cycles there were."""
        models, cycles, another = np.zeros_like(self.psfs), 0, True
        while another and cycles < most_cycles:
            another, cycles = deconvolver.clean(self.residuals(models), models), cycles + 1
        return models, self.residuals(models), cycles

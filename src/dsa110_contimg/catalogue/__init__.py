"""Any table with ra, dec, flux and perhaps alpha: strips of sky and matching."""

"""The telescope as facts: stations, band, site, beams, and the geometry of the sky over it."""

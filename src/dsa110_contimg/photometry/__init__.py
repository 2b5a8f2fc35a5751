"""Sources in images: found, measured, compared with catalogues."""

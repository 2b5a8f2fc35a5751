"""Whether all is well: figures of quality, previews, reports."""

"""Images of many groups joined to one: weighted with beam^2 / noise^2, on one grid, tile by tile."""

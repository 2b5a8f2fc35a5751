"""Light curves: keeping years of measurements, putting epochs on one scale, and finding what varies."""

"""Finding what is not sky: zeros, sick antennas, interference; and keeping what the flags were before."""

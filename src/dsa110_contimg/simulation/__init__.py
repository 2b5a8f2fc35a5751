"""A correlator that writes subband files as the telescope does, with a known sky."""

"""Pure numerics: frames, volumes, probe response, posterior, guidance. No I/O, no clock, no devices."""

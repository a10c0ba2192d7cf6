"""The composition root: reads the site file, builds the objects, runs them; both commands start here."""

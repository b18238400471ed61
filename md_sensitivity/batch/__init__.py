"""Many structures: one force field, one folder of results for each structure, and no failure that stops the rest."""

"""What the equilibrium and its derivative mean: sensitivities of observables and the evidence that they are right."""

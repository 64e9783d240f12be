"""The flow that splits fluxes, scale by scale."""

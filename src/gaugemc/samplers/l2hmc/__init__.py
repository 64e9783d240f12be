"""L2HMC: the generalised leapfrog, its networks, and the sampler of its proposals."""

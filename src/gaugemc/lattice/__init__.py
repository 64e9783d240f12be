"""Geometry: shifts, loops, gauge transformations and partitions of a periodic lattice."""

from gaugemc.lattice.blocks import block_links as block_links
from gaugemc.lattice.blocks import with_corners as with_corners
from gaugemc.lattice.clover import field_strength as field_strength
from gaugemc.lattice.clover import field_strength_products as field_strength_products
from gaugemc.lattice.colours import colour_sites as colour_sites
from gaugemc.lattice.gauge import gauge_transform as gauge_transform
from gaugemc.lattice.loops import plane_plaquettes as plane_plaquettes
from gaugemc.lattice.loops import planes as planes
from gaugemc.lattice.loops import plaquette_sum as plaquette_sum
from gaugemc.lattice.loops import plaquettes as plaquettes
from gaugemc.lattice.loops import polyakov_loops as polyakov_loops
from gaugemc.lattice.loops import rectangle_sum as rectangle_sum
from gaugemc.lattice.loops import wilson_loops as wilson_loops
from gaugemc.lattice.shift import shift as shift
from gaugemc.lattice.staples import chair_staples as chair_staples
from gaugemc.lattice.staples import plaquette_staples as plaquette_staples
from gaugemc.lattice.staples import rectangle_staples as rectangle_staples
from gaugemc.lattice.staples import staple_sum as staple_sum
from gaugemc.lattice.subset import colours as colours
from gaugemc.lattice.subset import of_colour as of_colour
from gaugemc.lattice.subset import with_colour as with_colour
from gaugemc.lattice.tree import links_from_plaquettes as links_from_plaquettes

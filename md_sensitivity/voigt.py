"""The order in which the six components of a symmetric 3×3 matrix stand everywhere in the package."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Row and column of each component: xx yy zz yz xz xy."""
PLACES = ((0, 5, 4), (5, 1, 3), (4, 3, 2))
"""Where each of the nine entries of the matrix stands among the six."""

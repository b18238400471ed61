"""The structure as a picture: atoms shaded by their response, arrows along their displacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from md_sensitivity.reports.html.projection import View, cell_edges, choose_view, drawn_atoms, radii, wrapped
from md_sensitivity.reports.html.svg import coordinate, polyline, round_step
from md_sensitivity.types import Structure

WIDTH, HEIGHT, MARGIN = 560.0, 480.0, 34.0
MAX_ATOMS, MAX_ARROWS, MAX_TITLES, MAX_BONDS = 2400, 300, 600, 3000
SHADES = (0.02, 0.05, 0.1, 0.25, 0.5)
"""Lower ends of the shades, as fractions of the largest response."""
ARROW = 46.0
"""Length of the longest arrow [pixels]."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An SVG and what its caption must say.

    Attributes:
        svg: the drawing.
        view: direction of view.
        atoms, arrows: how many are drawn.
        magnification: how many times longer arrows are than the displacements they stand for.
        wide: whether it is so flat that it deserves the whole width of the page.
    """

    svg: Markup
    view: View
    atoms: int
    arrows: int
    magnification: float
    wide: bool


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The map from Å to pixels: `scale` pixels per Å around `center`, y upward, in a picture of the given height; `wide` if flat."""

    view: View
    center: np.ndarray
    scale: float
    height: float
    wide: bool

    def place(self, points: np.ndarray) -> np.ndarray:
        """Pixels of points, shape=(..., 2)."""
        flat = points @ self.view.axes[:2].T - self.center
        return np.stack([WIDTH / 2 + self.scale * flat[..., 0], self.height / 2 - self.scale * flat[..., 1]], axis=-1)


def picture(
    structure: Structure, positions: np.ndarray, cell: np.ndarray, displacement: np.ndarray, labels: list[str], length: str
) -> Picture:
    """Draw one response.

    Args:
        structure: the input structure (elements, bonds, periodicity).
        positions: minimized positions, shape=(n, 3) [Å].
        cell: minimized cell, shape=(3, 3) [Å].
        displacement: of each atom to first order for the change that the caption names, shape=(n, 3) [Å].
        labels: what to call each atom.
        length: unit of length, "reduced" or Å.
    """
    suffix = "" if length == "reduced" else f" {length}"
    pbc = np.asarray(structure.pbc, dtype=bool)
    view = choose_view(positions, cell, pbc)
    shown = positions if len(structure.bonds) else wrapped(positions, cell, pbc)
    size = np.linalg.norm(displacement, axis=1)
    chosen = drawn_atoms(size, MAX_ATOMS)
    edges = cell_edges(cell, pbc)
    frame = _frame(view, np.concatenate([shown, edges.reshape(-1, 3)]))
    radius = np.clip(frame.scale * radii(structure.numbers, positions, cell, pbc), 1.2, 20.0)
    magnification, arrows = _arrows(frame, shown, displacement, size, radius, chosen)
    parts = [
        f'<svg class="scene" viewBox="0 0 {coordinate(WIDTH)} {coordinate(frame.height)}" role="img">',
        f'<path class="cell" d="{"".join(polyline(map(tuple, edge)) for edge in frame.place(edges))}"/>' if len(edges) else "",
        _bonds(frame, structure, shown, chosen),
        _atoms(frame, shown, size, radius, chosen, labels, suffix),
        f'<path class="arrows" d="{"".join(arrows)}"/>' if arrows else "",
        _scale_bar(frame, suffix),
        "</svg>",
    ]
    svg = Markup("".join(parts))  # numbers, our own words, and labels escaped in _atoms
    return Picture(svg=svg, view=view, atoms=len(chosen), arrows=len(arrows), magnification=magnification, wide=frame.wide)


def _frame(view: View, points: np.ndarray) -> Frame:
    flat = points @ view.axes[:2].T
    low, high = flat.min(axis=0), flat.max(axis=0)
    span = np.maximum(high - low, 1e-9)
    usable = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = float(min(*(usable / span), 130.0))
    height = max(140.0, min(HEIGHT, scale * float(span[1]) + 2 * MARGIN))
    return Frame(view=view, center=(low + high) / 2, scale=scale, height=height + 22.0, wide=bool(span[1] < 0.4 * span[0]))


def _atoms(
    frame: Frame, shown: np.ndarray, size: np.ndarray, radius: np.ndarray, chosen: np.ndarray, labels: list[str], suffix: str
) -> str:
    """Circles by shade, weakest first, so that what responds is never hidden; within a shade from back to front."""
    largest = float(size.max()) or 1.0
    shade = np.searchsorted(SHADES, size[chosen] / largest, side="right")
    depth = shown[chosen] @ frame.view.axes[2]
    pixels = frame.place(shown[chosen])
    titled = len(chosen) <= MAX_TITLES
    groups = []
    for level in range(len(SHADES) + 1):
        members = np.flatnonzero(shade == level)
        circles = []
        for k in members[np.argsort(depth[members], kind="stable")]:
            atom = chosen[k]
            start = f'<circle cx="{coordinate(pixels[k, 0])}" cy="{coordinate(pixels[k, 1])}" r="{coordinate(radius[atom])}"'
            title = f"><title>{Markup.escape(labels[atom])}: {size[atom]:.3g}{suffix}</title></circle>" if titled else "/>"
            circles.append(start + title)
        if circles:
            groups.append(f'<g class="a{level}">{"".join(circles)}</g>')
    return "".join(groups)


def _arrows(
    frame: Frame, shown: np.ndarray, displacement: np.ndarray, size: np.ndarray, radius: np.ndarray, chosen: np.ndarray
) -> tuple[float, list[str]]:
    """Magnification, and path data of the largest displacements in the plane of the picture."""
    flat = displacement[chosen] @ frame.view.axes[:2].T * (1.0, -1.0)
    length = np.linalg.norm(flat, axis=1)
    if not length.max(initial=0.0) > 0:
        return 0.0, []
    stretch = ARROW / float(length.max())
    strongest = np.argsort(-length, kind="stable")[:MAX_ARROWS]
    pixels = frame.place(shown[chosen])
    arrows = [_arrow(pixels[k], flat[k] * stretch) for k in strongest if length[k] * stretch > 5.0]
    return stretch / frame.scale, arrows


def _arrow(start: np.ndarray, vector: np.ndarray) -> str:
    """Shaft and head."""
    end, length = start + vector, float(np.linalg.norm(vector))
    along = vector / length * min(7.0, 0.4 * length)
    across = np.array([-along[1], along[0]]) * 0.5
    return polyline([tuple(start), tuple(end)]) + polyline([tuple(end - along + across), tuple(end), tuple(end - along - across)])


def _bonds(frame: Frame, structure: Structure, shown: np.ndarray, chosen: np.ndarray) -> str:
    """Lines between drawn atoms, without bonds that cross a periodic boundary."""
    bonds = np.asarray(structure.bonds).reshape(-1, 2)
    if not len(bonds):
        return ""
    drawn = np.zeros(len(shown), dtype=bool)
    drawn[chosen] = True
    length = np.linalg.norm(shown[bonds[:, 0]] - shown[bonds[:, 1]], axis=1)
    kept = bonds[drawn[bonds].all(axis=1) & (length < 2 * np.median(length))][:MAX_BONDS]
    lines = "".join(polyline([tuple(a), tuple(b)]) for a, b in frame.place(shown[kept]))
    return f'<path class="bonds" d="{lines}"/>'


def _scale_bar(frame: Frame, suffix: str) -> str:
    """A bar of a round length at the lower left, beside the names of both axes."""
    length = round_step(0.3 * WIDTH / frame.scale, 1)
    x, y = MARGIN, frame.height - 12
    bar = polyline([(x, y - 4), (x, y), (x + length * frame.scale, y), (x + length * frame.scale, y - 4)])
    label = f'<text x="{coordinate(x + length * frame.scale + 8)}" y="{coordinate(y + 3)}">{length:g}{suffix}</text>'
    return f'<path class="ruler" d="{bar}"/>{label}'

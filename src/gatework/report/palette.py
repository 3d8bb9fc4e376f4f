"""One colour per cell in every picture, told apart by colour-blind readers too.

The hues are those of Okabe & Ito (2008) without black and yellow, which vanish on a dark or a light page, and a
violet and a brown of ColorBrewer. The
truth is drawn in the colour of the text: a trace without a colour takes it from the theme.
"""

from dataclasses import dataclass

from gatework.report.results import Results

HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#A6761D")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up")
GREY = "#878d96"
SHOWN_CELLS = 3


@dataclass(frozen=True)
class Pen:
    """How one cell or baseline is drawn."""

    colour: str
    dash: str
    symbol: str

    @property
    def line(self) -> dict[str, object]:
        """Plotly's description of a line."""
        return {"color": self.colour, "dash": self.dash, "width": 1.8}

    @property
    def marker(self) -> dict[str, object]:
        """Plotly's description of a dot."""
        return {"color": self.colour, "symbol": self.symbol, "size": 10}

    def faded(self, opacity: float) -> str:
        """Return the colour as a see-through one."""
        channels = (int(self.colour[start : start + 2], 16) for start in (1, 3, 5))
        return f"rgba({','.join(map(str, channels))},{opacity})"


def pens(results: Results) -> dict[str, Pen]:
    """Return a pen per cell, in the order of the leaderboard: hues first, then other dashes and symbols."""
    names = [row["cell"] for row in results["leaderboard"]]
    return {name: _pen(place) for place, name in enumerate(names)}


def baseline_pens(results: Results) -> dict[str, Pen]:
    """Return a grey pen per baseline, told apart by its dashes."""
    names = [row["name"] for row in results["baselines"]]
    dashes = ("dash", "dot", "dashdot", "longdash")
    return {name: Pen(GREY, dashes[place % len(dashes)], "diamond-open") for place, name in enumerate(names)}


def _pen(place: int) -> Pen:
    style, hue = divmod(place, len(HUES))
    return Pen(HUES[hue], DASHES[style % len(DASHES)], SYMBOLS[style % len(SYMBOLS)])

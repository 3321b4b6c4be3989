"""The backend that matplotlib imports by this name; see `_sgl_figures.py`."""

from _sgl_figures import show  # noqa: F401
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas  # noqa: F401

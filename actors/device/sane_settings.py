"""What a person asks for, as SANE options: without it, one would have to know each backend's own."""

from typing import get_args

from actors.device.sane_options import Panel, SaneOption
from actors.device.sane_words import color_of, is_deep, is_duplex, source_of
from schemas.device import Capabilities, PageSize, Range, Settings, SourceCapabilities
from schemas.errors import Invalid, Unsupported
from schemas.page import MM_PER_INCH, PAGE_SIZES_MM, Color, Source

_DEFAULT_DPI = 300
_USUAL_DPI = (50, 75, 100, 150, 200, 240, 300, 400, 600, 800, 1200, 1600, 2400, 3200, 4800, 6400, 9600)
_RESOLUTIONS = ("resolution", "x-resolution", "y-resolution")
_LEVELS = ("brightness", "contrast")
COVERED = {
    *("source", "duplex", "adf-mode", "batch-scan", "mode", "depth", "tl-x", "tl-y", "br-x", "br-y"),
    *("page-width", "page-height", *_RESOLUTIONS),
}
"""The options that our own settings decide: with the same values of these, an image has the same size and kind."""
_TOLERANCE_MM = 2.0
"""An A4 glass is often announced as 209.9 or 296.9 mm: nobody misses so little of a page."""


def capabilities(panel: Panel) -> Capabilities:
    """What the device can do, read source by source; the options' values are the device's own defaults."""
    panel.restore()
    sources = list(_sources(panel))
    described = []
    for source in sources:
        _select(panel, Settings(source=source))
        described.append(_describe(panel, source))
    _select(panel, Settings(source=sources[0]))
    return Capabilities(
        sources=described,
        default_color=_default_color(panel),
        default_resolution_dpi=_default_resolution_dpi(panel),
        brightness=_is_level(panel, "brightness"),
        contrast=_is_level(panel, "contrast"),
        options=[
            option.described(panel.get(name))
            for name, option in panel.options.items()
            if name not in COVERED and not (name in _LEVELS and option.range)
        ],
    )


def apply(panel: Panel, settings: Settings) -> Source:
    """Set the device for one scan and say which source it takes; what is left out is as `capabilities` says.

    Raises Unsupported or Invalid, naming the setting and what is possible; nothing moves by it.
    """
    if settings.page_size and settings.area:
        raise Invalid("page_size and area cannot both be given: leave one out.")
    panel.restore()
    source = _select(panel, settings)
    _place(panel, source, settings)
    for name in _LEVELS:
        _set_level(panel, name, getattr(settings, name))
    # In the device's own order an option that switches others on stands before them.
    unknown = [name for name in settings.options if name not in panel.options]
    if unknown:
        raise Unsupported(f"{unknown[0]} is no option of this scanner.")
    for name in sorted(settings.options, key=lambda name: panel.options[name].index):
        panel.set(name, settings.options[name])
    return source


def resolution_dpi(panel: Panel) -> int:
    """The resolution that is set."""
    for option in _resolutions(panel):
        value = panel.get(option.name)
        if isinstance(value, int | float):
            return round(value)
    return _DEFAULT_DPI


def _sources(panel: Panel) -> dict[Source, str]:
    """The sources and the value of `source` that selects each; no value where there is no such option."""
    option = panel.options.get("source")
    found: dict[Source, str] = {}
    for choice in option.choices if option else []:
        source = source_of(str(choice))
        if source:
            found.setdefault(source, str(choice))
    if not found:
        fed = any(name in panel.options for name in ("duplex", "adf-mode", "page-loaded"))
        found = {Source.FEEDER if fed else Source.FLATBED: ""}
    if Source.FEEDER in found and any(name in panel.options for name in ("duplex", "adf-mode")):
        found.setdefault(Source.DUPLEX, found[Source.FEEDER])
    return found


def _colors(panel: Panel) -> dict[Color, str]:
    """The colors and the value of `mode` that selects each."""
    option = panel.options.get("mode")
    if not option:
        return {Color.COLOR: ""}
    found: dict[Color, str] = {}
    for choice in sorted(map(str, option.choices), key=is_deep):
        color = color_of(choice)
        if color:
            found.setdefault(color, choice)
    depth = panel.options.get("depth")
    if Color.GRAY in found and depth and depth.takes(1):
        found.setdefault(Color.MONO, found[Color.GRAY])
    return {color: found[color] for color in Color if color in found}


def _default_color(panel: Panel) -> Color:
    return next(iter(_colors(panel)), Color.COLOR)


def _resolutions(panel: Panel) -> list[SaneOption]:
    return [panel.options[name] for name in _RESOLUTIONS if panel.offers(name)]


def _resolutions_dpi(panel: Panel) -> list[int]:
    options = _resolutions(panel)
    listed = [choice for option in options for choice in option.choices if not isinstance(choice, str)]
    found = {int(dpi) for dpi in listed or _USUAL_DPI if dpi == int(dpi) and 50 <= dpi <= 9600}
    bounds = options[0].bounds if options else None
    if not listed and bounds:
        step = options[0].range.step if options[0].range else 0
        found = {dpi for dpi in found if not step or abs((dpi - bounds[0]) / step % 1) < 1e-6}
        found = found or {round(max(bounds[0], 50))}
    return sorted(dpi for dpi in found if all(option.takes(dpi) for option in options)) if options else []


def _default_resolution_dpi(panel: Panel) -> int:
    return min(_resolutions_dpi(panel), key=lambda dpi: abs(dpi - _DEFAULT_DPI), default=_DEFAULT_DPI)


def _select(panel: Panel, settings: Settings) -> Source:
    """Source, color and resolution, in the order in which each may change what the next can be."""
    sources = _sources(panel)
    source = settings.source or next(iter(sources))
    if source not in sources:
        raise Unsupported(f"source {source} is not possible: {', '.join(sources)}.")
    if sources[source] and panel.offers("source"):
        panel.set("source", sources[source])
    _set_switches(panel, source)

    colors = _colors(panel)
    color = settings.color or _default_color(panel)
    if settings.color and color not in colors:
        raise Unsupported(f"color {color} is not possible: {', '.join(colors)}.")
    if colors.get(color) and panel.offers("mode"):
        panel.set("mode", colors[color])
    bits = 1 if color == Color.MONO else 8
    if panel.offers("depth") and panel.options["depth"].takes(bits):
        panel.set("depth", bits)

    options = _resolutions(panel)
    if settings.resolution_dpi and not options:
        raise Unsupported(f"resolution_dpi {settings.resolution_dpi} is not possible: this scanner has only its own.")
    for option in options:
        panel.set(option.name, settings.resolution_dpi or _default_resolution_dpi(panel), "resolution_dpi")
    return source


def _set_switches(panel: Panel, source: Source) -> None:
    both_sides = source == Source.DUPLEX
    if panel.offers("duplex"):
        panel.set("duplex", both_sides)
    if panel.offers("adf-mode"):
        choices = [str(choice) for choice in panel.options["adf-mode"].choices]
        wanted = [choice for choice in choices if is_duplex(choice) == both_sides]
        if wanted:
            panel.set("adf-mode", wanted[0])
    # Where it exists, a feeder that is not told so stops or ejects after each sheet.
    if panel.offers("batch-scan") and panel.options["batch-scan"].takes(True):
        panel.set("batch-scan", source != Source.FLATBED)


def _describe(panel: Panel, source: Source) -> SourceCapabilities:
    width_mm, height_mm = _extent_mm(panel)
    limits = next((option.range for option in _resolutions(panel)), None)
    return SourceCapabilities(
        source=source,
        colors=list(_colors(panel)),
        resolutions_dpi=_resolutions_dpi(panel),
        resolution_range_dpi=limits
        and Range(minimum=max(limits.minimum, 50), maximum=min(limits.maximum, 9600), step=limits.step),
        width_mm=round(width_mm, 2),
        height_mm=round(height_mm, 2),
        page_sizes=[name for name in get_args(PageSize) if _fits(PAGE_SIZES_MM[name], (width_mm, height_mm))],
    )


def _fits(wanted_mm: tuple[float, float], extent_mm: tuple[float, float]) -> bool:
    return wanted_mm[0] <= extent_mm[0] + _TOLERANCE_MM and wanted_mm[1] <= extent_mm[1] + _TOLERANCE_MM


def _extent_mm(panel: Panel) -> tuple[float, float]:
    """Width and height of what the source can see; 0 where the device does not say."""

    def length_mm(near: str, far: str, paper: str) -> float:
        # Some feeders let the area reach only as far as the paper that they were told of.
        lengths = [_mm(panel, name, bounds[1]) - _nearest_mm(panel, near) for name, bounds in ends(far, paper)]
        return max(lengths, default=0.0)

    def ends(*names: str) -> list[tuple[str, tuple[float, float]]]:
        found = [(name, panel.options[name].bounds) for name in names if panel.offers(name)]
        return [(name, bounds) for name, bounds in found if bounds]

    return length_mm("tl-x", "br-x", "page-width"), length_mm("tl-y", "br-y", "page-height")


def _nearest_mm(panel: Panel, name: str) -> float:
    bounds = panel.options[name].bounds if name in panel.options else None
    return _mm(panel, name, bounds[0]) if bounds else 0.0


def _mm(panel: Panel, name: str, value: float) -> float:
    return value * MM_PER_INCH / resolution_dpi(panel) if panel.options[name].unit == "px" else value


def _set_mm(panel: Panel, name: str, value_mm: float) -> None:
    option = panel.options[name]
    in_pixels = value_mm * resolution_dpi(panel) / MM_PER_INCH
    panel.set(name, option.nearest(in_pixels if option.unit == "px" else value_mm))


def _place(panel: Panel, source: Source, settings: Settings) -> None:
    """Where on the glass, or on the sheet, and how large."""
    extent_mm = _extent_mm(panel)
    left_mm, top_mm, (width_mm, height_mm) = 0.0, 0.0, extent_mm
    asked = ""
    if settings.page_size:
        asked = f"page_size {settings.page_size}"
        width_mm, height_mm = PAGE_SIZES_MM[settings.page_size]
    elif settings.area:
        asked = "area"
        left_mm, top_mm = settings.area.left_mm, settings.area.top_mm
        width_mm, height_mm = settings.area.width_mm, settings.area.height_mm
    if asked and (
        left_mm + width_mm > extent_mm[0] + _TOLERANCE_MM or top_mm + height_mm > extent_mm[1] + _TOLERANCE_MM
    ):
        raise Unsupported(
            f"{asked} is not possible: the largest from the {source} is {extent_mm[0]:g} x {extent_mm[1]:g} mm."
        )
    if asked and min(width_mm, height_mm, extent_mm[0] - left_mm, extent_mm[1] - top_mm) <= 0:
        raise Invalid("area is empty: width_mm and height_mm must be larger than 0, on what the source can see.")

    # The sheet first: how far the area reaches depends on it, and so does where a centered sheet begins.
    sheet_mm = (width_mm, height_mm) if settings.page_size else extent_mm
    for name, value_mm in zip(("page-width", "page-height"), sheet_mm, strict=True):
        if panel.offers(name):
            _set_mm(panel, name, value_mm)
    origin_mm = (_nearest_mm(panel, "tl-x"), _nearest_mm(panel, "tl-y"))
    for name, value_mm in (
        ("tl-x", origin_mm[0] + left_mm),
        ("tl-y", origin_mm[1] + top_mm),
        ("br-x", origin_mm[0] + left_mm + width_mm),
        ("br-y", origin_mm[1] + top_mm + height_mm),
    ):
        if panel.offers(name):
            _set_mm(panel, name, value_mm)


def _is_level(panel: Panel, name: str) -> bool:
    return panel.offers(name) and panel.options[name].range is not None


def _set_level(panel: Panel, name: str, percent: int) -> None:
    """0 is the device's own default, -100 and 100 are the ends of its range."""
    if not percent:
        return
    if not _is_level(panel, name):
        raise Unsupported(f"{name} {percent} is not possible on this scanner with these settings: leave it at 0.")
    option, neutral = panel.options[name], panel.get(name)
    low, high = option.bounds or (0.0, 0.0)
    middle = neutral if isinstance(neutral, int | float) else (low + high) / 2
    panel.set(name, option.nearest(middle + abs(percent) / 100 * ((high if percent > 0 else low) - middle)))

"""The field's terms fit what very different backends offer."""

from collections.abc import Callable

import pytest

from actors.device.sane_options import Descriptor, Kind, Panel, SetInfo, option_of
from actors.device.sane_settings import apply, capabilities, resolution_dpi
from actors.device.sane_words import color_of, source_of
from schemas.device import Area, Settings
from schemas.errors import Invalid, ScanbusError, Unsupported
from schemas.page import Color, Source

SETTABLE, INACTIVE = 5, 5 | 32
MM, PIXELS, DPI, NO_UNIT = 3, 1, 4, 0


class Shelf:
    """Options like those of a device, in memory; `react` changes them as setting one of them does."""

    def __init__(self, react: Callable[["Shelf"], None] | None = None, **options: tuple[object, object, int]) -> None:
        self.constraints = {name.replace("_", "-"): option[0] for name, option in options.items()}
        self.values = {name.replace("_", "-"): option[1] for name, option in options.items()}
        self.units = {name.replace("_", "-"): option[2] for name, option in options.items()}
        self.inactive: set[str] = set()
        self.refused: set[str] = set()
        self.order: list[str] = []
        self._react = react
        if react:
            react(self)

    def descriptors(self) -> list[Descriptor]:
        kinds = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FIXED, str: Kind.STRING}
        rows: list[Descriptor] = [(0, "", "Number of options", "", Kind.INT, 0, 4, 4, None)]
        for index, (name, value) in enumerate(self.values.items(), 1):
            kind = kinds[type(value)]
            size = 64 if kind == Kind.STRING else 4
            cap = INACTIVE if name in self.inactive else SETTABLE
            rows.append((index, name, name, "", kind, self.units[name], size, cap, self.constraints[name]))
        return rows

    def get_value(self, index: int, size: int) -> bytes:
        option = option_of(self.descriptors()[index])
        return bytes(option.encode(self.values[option.name]))  # type: ignore[arg-type]

    def set_value(self, index: int, raw: bytearray) -> SetInfo:
        option = option_of(self.descriptors()[index])
        if option.name in self.refused:
            raise Invalid
        value = option.decode(bytes(raw))
        self.values[option.name] = float(value) if option.kind == Kind.FIXED else value  # type: ignore[arg-type]
        self.order.append(option.name)
        if self._react:
            self._react(self)
        return SetInfo.RELOAD_OPTIONS if self._react else SetInfo(0)


def plain(**more: tuple[object, object, int]) -> dict[str, tuple[object, object, int]]:
    return {
        "mode": (["Lineart", "Halftone", "Gray", "Color"], "Lineart", NO_UNIT),
        "resolution": ((75, 600, 1), 75, DPI),
        "tl_x": ((0.0, 215.9, 0.0), 0.0, MM),
        "tl_y": ((0.0, 296.9, 0.0), 0.0, MM),
        "br_x": ((0.0, 215.9, 0.0), 100.0, MM),
        "br_y": ((0.0, 296.9, 0.0), 100.0, MM),
        **more,
    }


@pytest.mark.parametrize(
    ("text", "source"),
    [
        *[(text, Source.FLATBED) for text in ("Flatbed", "FlatBed", "FLATBED", "Normal", "Document Table")],
        *[(text, Source.FEEDER) for text in ("ADF", "Automatic Document Feeder", "ADF Front", "ADF Simplex", "Feeder")],
        ("Automatic Document Feeder(left aligned)", Source.FEEDER),
        ("Automatic Document Feeder(left aligned,Duplex)", Source.DUPLEX),
        *[(text, Source.DUPLEX) for text in ("ADF Duplex", "Duplex", "Both sides")],
        *[
            (text, None)
            for text in ("ADF Back", "ADF Rear", "Transparency Unit", "TPU8x10", "Negative Film", "Card Front")
        ],
        ("TMA Slides", None),
    ],
)
def test_a_source_is_known_by_its_words(text: str, source: Source | None) -> None:
    assert source_of(text) == source


@pytest.mark.parametrize(
    ("text", "color"),
    [
        *[
            (text, Color.COLOR)
            for text in ("Color", "24bit Color", "24bit Color[Fast]", "Color - 16 Million Colors", "RGB")
        ],
        *[(text, Color.GRAY) for text in ("Gray", "Grayscale", "True Gray", "8-bit gray", "Grey")],
        *[(text, Color.MONO) for text in ("Lineart", "LineArt", "Black & White", "Binary", "Monochrome")],
        *[
            (text, None)
            for text in ("Halftone", "Gray[Error Diffusion]", "Color Lineart", "Color Halftone", "256 Colors")
        ],
    ],
)
def test_a_mode_is_known_by_its_words(text: str, color: Color | None) -> None:
    assert color_of(text) == color


def test_a_deep_mode_is_taken_only_where_there_is_no_plain_one() -> None:
    both = Shelf(**plain(mode=(["48 bits color", "Color", "16-bit Gray"], "Color", NO_UNIT)))
    apply(Panel(both), Settings(color=Color.COLOR))
    assert both.values["mode"] == "Color"
    apply(Panel(both), Settings(color=Color.GRAY))
    assert both.values["mode"] == "16-bit Gray"


def test_what_is_left_out_is_color_at_300_dpi_and_the_whole_glass() -> None:
    shelf = Shelf(**plain())
    assert apply(Panel(shelf), Settings()) == Source.FLATBED
    assert (shelf.values["mode"], shelf.values["resolution"]) == ("Color", 300)
    assert (shelf.values["br-x"], shelf.values["br-y"]) == (
        pytest.approx(215.9, abs=1e-4),
        pytest.approx(296.9, abs=1e-4),
    )


def test_the_source_is_set_first_then_mode_resolution_and_area() -> None:
    shelf = Shelf(**plain(source=(["Flatbed", "ADF"], "Flatbed", NO_UNIT)))
    apply(Panel(shelf), Settings(source=Source.FEEDER, area=Area(left_mm=5, width_mm=50, height_mm=60)))
    assert shelf.order == ["source", "mode", "resolution", "tl-x", "br-x", "br-y"]


def test_each_source_is_described_with_its_own_ranges() -> None:
    def react(shelf: Shelf) -> None:
        in_feeder = shelf.values["source"] == "ADF"
        shelf.constraints["br-y"] = (0.0, 355.6 if in_feeder else 297.0, 0.0)
        shelf.constraints["resolution"] = [75, 300] if in_feeder else [75, 300, 1200]

    shelf = Shelf(react, **plain(source=(["Flatbed", "ADF"], "Flatbed", NO_UNIT)))
    flatbed, feeder = capabilities(Panel(shelf)).sources
    assert (flatbed.height_mm, flatbed.resolutions_dpi) == (297.0, [75, 300, 1200])
    assert (feeder.height_mm, feeder.resolutions_dpi) == (355.6, [75, 300])
    assert "legal" in feeder.page_sizes
    assert "legal" not in flatbed.page_sizes
    assert "a4" in flatbed.page_sizes


@pytest.mark.parametrize(
    ("name", "switch", "on", "off"),
    [
        ("duplex", (None, False, NO_UNIT), True, False),
        ("adf_mode", (["Simplex", "Duplex"], "Simplex", NO_UNIT), "Duplex", "Simplex"),
    ],
)
def test_a_switch_for_both_sides_makes_a_source(
    name: str, switch: tuple[object, object, int], on: object, off: object
) -> None:
    shelf = Shelf(**plain(source=(["Flatbed", "ADF"], "Flatbed", NO_UNIT), **{name: switch}))
    panel = Panel(shelf)
    assert [source.source for source in capabilities(panel).sources] == [Source.FLATBED, Source.FEEDER, Source.DUPLEX]
    apply(panel, Settings(source=Source.DUPLEX))
    assert (shelf.values["source"], shelf.values[name.replace("_", "-")]) == ("ADF", on)
    apply(panel, Settings(source=Source.FEEDER))
    assert shelf.values[name.replace("_", "-")] == off


def test_a_feeder_is_told_that_more_than_one_sheet_will_come() -> None:
    shelf = Shelf(**plain(source=(["Flatbed", "ADF"], "ADF", NO_UNIT), batch_scan=(None, False, NO_UNIT)))
    apply(Panel(shelf), Settings(source=Source.FEEDER))
    assert shelf.values["batch-scan"] is True
    apply(Panel(shelf), Settings(source=Source.FLATBED))
    assert shelf.values["batch-scan"] is False


def test_a_page_size_within_two_millimeters_is_clipped_to_the_glass() -> None:
    shelf = Shelf(**plain())
    apply(Panel(shelf), Settings(page_size="a4"))
    assert shelf.values["br-x"] == pytest.approx(210)
    assert shelf.values["br-y"] == pytest.approx(296.9, abs=1e-4)
    with pytest.raises(Unsupported, match=r"page_size legal .* 215.9 x 296.9 mm"):
        apply(Panel(shelf), Settings(page_size="legal"))


def test_an_area_in_pixels_is_asked_for_in_millimeters() -> None:
    ends = {name: ((0, 2550, 1), 0, PIXELS) for name in ("tl_x", "tl_y", "br_x", "br_y")}
    shelf = Shelf(**plain(**ends))
    apply(Panel(shelf), Settings(resolution_dpi=300, area=Area(left_mm=25.4, width_mm=50.8, height_mm=127)))
    assert [shelf.values[name] for name in ("tl-x", "tl-y", "br-x", "br-y")] == [300, 0, 900, 1500]
    assert capabilities(Panel(shelf)).sources[0].width_mm == 215.9


def test_a_feeder_that_centers_sheets_is_told_their_size() -> None:
    def react(shelf: Shelf) -> None:
        shelf.constraints["br-x"] = (0.0, shelf.values["page-width"], 0.0)

    paper = ((0.0, 224.8, 0.0), 210.0, MM)
    long_paper = ((0.0, 800.0, 0.0), 297.0, MM)
    shelf = Shelf(react, **plain(br_y=long_paper, page_width=paper, page_height=long_paper))
    panel = Panel(shelf)
    assert capabilities(panel).sources[0].width_mm == 224.8
    apply(panel, Settings(page_size="a5"))
    assert [round(float(shelf.values[name])) for name in ("page-width", "br-x", "br-y")] == [148, 148, 210]  # type: ignore[arg-type]
    apply(panel, Settings())
    assert round(float(shelf.values["br-x"]), 1) == 224.8  # type: ignore[arg-type]


@pytest.mark.parametrize(("percent", "value"), [(0, 10), (100, 255), (-100, -5), (50, 132)])
def test_brightness_runs_from_the_default_to_both_ends(percent: int, value: int) -> None:
    shelf = Shelf(**plain(brightness=((-5, 255, 1), 10, NO_UNIT)))
    panel = Panel(shelf)
    apply(panel, Settings(brightness=-70))
    apply(panel, Settings(brightness=percent))
    assert shelf.values["brightness"] == value
    assert capabilities(panel).brightness
    with pytest.raises(Unsupported, match="contrast 5"):
        apply(panel, Settings(contrast=5))


def test_x_and_y_resolutions_are_set_alike() -> None:
    options = plain(x_resolution=([100, 200], 100, DPI), y_resolution=([100, 200, 400], 400, DPI))
    del options["resolution"]
    shelf = Shelf(**options)
    panel = Panel(shelf)
    assert capabilities(panel).sources[0].resolutions_dpi == [100, 200]
    apply(panel, Settings(resolution_dpi=100))
    assert (shelf.values["x-resolution"], shelf.values["y-resolution"], resolution_dpi(panel)) == (100, 100, 100)
    with pytest.raises(Unsupported, match="resolution_dpi 400 is not possible: 100, 200"):
        apply(panel, Settings(resolution_dpi=400))


def test_resolutions_in_a_range_are_the_usual_ones_on_its_steps() -> None:
    source = capabilities(Panel(Shelf(**plain(resolution=((20.0, 800.0, 20.0), 100.0, DPI))))).sources[0]
    assert source.resolutions_dpi == [100, 200, 240, 300, 400, 600, 800]
    assert source.resolution_range_dpi is not None
    assert (source.resolution_range_dpi.minimum, source.resolution_range_dpi.step) == (50, 20)


def test_a_device_without_options_still_scans() -> None:
    panel = Panel(Shelf())
    assert apply(panel, Settings()) == Source.FLATBED
    assert capabilities(panel).sources[0].resolutions_dpi == []
    with pytest.raises(Unsupported, match="only its own"):
        apply(panel, Settings(resolution_dpi=300))
    with pytest.raises(Unsupported, match="page_size a4"):
        apply(panel, Settings(page_size="a4"))


def test_what_the_device_refuses_is_named() -> None:
    shelf = Shelf(**plain())
    shelf.refused.add("resolution")
    with pytest.raises(Unsupported, match="resolution_dpi 200 was refused"):
        apply(Panel(shelf), Settings(resolution_dpi=200))


def test_options_are_set_in_the_devices_order_and_last_one_scan() -> None:
    def react(shelf: Shelf) -> None:
        shelf.inactive = set() if shelf.values["gain"] else {"gain-level"}

    shelf = Shelf(react, **plain(gain=(None, False, NO_UNIT), gain_level=((0, 9, 1), 3, NO_UNIT)))
    panel = Panel(shelf)
    apply(panel, Settings(options={"gain-level": 7, "gain": True}))
    assert (shelf.values["gain"], shelf.values["gain-level"]) == (True, 7)
    apply(panel, Settings(options={"gain": True}))
    assert shelf.values["gain-level"] == 3
    apply(panel, Settings())
    assert shelf.values["gain"] is False


def test_everything_that_is_offered_is_taken() -> None:
    shelf = Shelf(**plain(source=(["Flatbed", "ADF", "ADF Duplex"], "ADF", NO_UNIT), depth=([8, 16], 8, NO_UNIT)))
    panel = Panel(shelf)
    for source in capabilities(panel).sources:
        asked = [Settings(source=source.source, color=color) for color in source.colors]
        asked += [Settings(source=source.source, resolution_dpi=dpi) for dpi in source.resolutions_dpi]
        asked += [Settings(source=source.source, page_size=size) for size in source.page_sizes]
        for settings in asked:
            assert apply(panel, settings) == source.source


NASTY = [True, -1, 1.5, float("nan"), float("inf"), 1 << 40, "", "x" * 100, "a\0b", "\u20ac", [], [1, 2], [True]]


@pytest.mark.parametrize("value", NASTY, ids=repr)
@pytest.mark.parametrize("default", [True, 1, 1.0, "x"], ids=repr)
def test_a_value_is_taken_whole_or_refused(default: object, value: object) -> None:
    shelf = Shelf(it=(None, default, NO_UNIT))
    try:
        apply(Panel(shelf), Settings(options={"it": value}))  # type: ignore[dict-item]
    except ScanbusError:
        assert shelf.values["it"] == default
    else:
        assert shelf.values["it"] == value

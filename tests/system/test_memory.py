"""A thick stack in fine detail does not take more memory than the settings say; `make torture` scans a thicker one."""

from pathlib import Path

from tests.torture.thick_stack import try_pages


def test_color_pages_at_600_dpi_are_scanned_seen_and_saved_in_little_memory(tmp_path: Path) -> None:
    assert try_pages(tmp_path, 12) == ""

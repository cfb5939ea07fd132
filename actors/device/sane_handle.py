"""An open SANE device with its errors translated: python-sane reads images wrongly and knows one word of a list."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import _sane

from actors.device.sane_options import Descriptor, SetInfo
from actors.device.sane_read import Frame
from actors.device.sane_status import STATUSES, Status, error_of
from schemas.errors import DriverFailed

_GET, _SET = 0, 1

# python-sane's module is linked with libsane, so that looking a function up in it finds the very same library
# that the module uses. Calls through CDLL release the GIL.
_LIBSANE = ctypes.CDLL(_sane.__file__)
_LIBSANE.sane_strstatus.restype = ctypes.c_char_p
_LIBSANE.sane_strstatus.argtypes = (ctypes.c_int,)
_LIBSANE.sane_read.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int))
_LIBSANE.sane_close.argtypes = (ctypes.c_void_p,)
_LIBSANE.sane_close.restype = None
_LIBSANE.sane_control_option.argtypes = (
    *(ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_int),
)

_NUMBERS = {(_LIBSANE.sane_strstatus(number) or b"").decode(): number for number in STATUSES}


@contextmanager
def translated() -> Iterator[None]:
    """Raise python-sane's errors, which are texts only, as those of the table."""
    try:
        yield
    except _sane.error as error:
        if str(error) in _NUMBERS:
            raise error_of(_NUMBERS[str(error)]) from error
        raise DriverFailed(f"The scanner's driver failed: {error}. Press Scan again.") from error


class Handle:
    """One open device, by SANE's own name for it. Its methods raise what `error_of` gives."""

    def __init__(self, name: str) -> None:
        with translated():
            self._device: Any = _sane._open(name)

    @property
    def _field(self) -> ctypes.c_void_p:
        """Where python-sane keeps SANE's handle: the first field after the object's head, without an accessor."""
        return ctypes.c_void_p.from_address(id(self._device) + object.__basicsize__)

    @property
    def _handle(self) -> int:
        handle = self._field.value
        if handle is None:
            raise DriverFailed("The scanner was closed. Press Scan again.")
        return handle

    def descriptors(self) -> list[Descriptor]:
        """All options as they are now, groups included."""
        with translated():
            options: list[Descriptor] = self._device.get_options()
            return options

    def get_value(self, index: int, size: int) -> bytes:
        """An option's value, `size` bytes long."""
        raw = bytearray(size + 4)
        self._control(index, _GET, raw)
        return bytes(raw)

    def set_value(self, index: int, raw: bytearray) -> SetInfo:
        """Set an option; `raw` becomes the value that was taken."""
        return SetInfo(self._control(index, _SET, raw))

    def _control(self, index: int, action: int, raw: bytearray) -> int:
        info = ctypes.c_int(0)
        address = ctypes.byref(ctypes.c_char.from_buffer(raw))
        status = _LIBSANE.sane_control_option(self._handle, index, action, address, ctypes.byref(info))
        if status:
            raise error_of(status)
        return info.value

    def start(self) -> None:
        """Begin the next frame."""
        with translated():
            self._device.start()

    def frame(self) -> Frame:
        """What is known of the frame that was begun."""
        with translated():
            kind, last, (width_px, height_px), depth_bits, line_bytes = self._device.get_parameters()
        return Frame(
            format=kind,
            last=bool(last),
            width_px=width_px,
            height_px=height_px,
            depth_bits=depth_bits,
            line_bytes=line_bytes,
        )

    def read(self, into: memoryview) -> int | None:
        """Read at most `len(into)` bytes: how many came, None at the frame's end."""
        came = ctypes.c_int(0)
        address = ctypes.byref(ctypes.c_char.from_buffer(into))
        status = _LIBSANE.sane_read(self._handle, address, len(into), ctypes.byref(came))
        if status == Status.EOF:
            return None
        if status:
            raise error_of(status)
        return came.value

    def cancel(self) -> None:
        """End whatever was started; the device can be started anew."""
        with translated():
            self._device.cancel()

    def close(self) -> None:
        """Give the device back."""
        # Not python-sane's: it keeps the GIL, and a backend that hangs would stop the whole process, watchdog included.
        field = self._field
        handle, field.value = field.value, None
        if handle is not None:
            _LIBSANE.sane_close(handle)

"""Draws pages that are filled in and added up: without them, nobody would know how forms, codes and columns fare."""

# ruff: noqa: S311, RUF001 - drawings need repeatable numbers, not secret ones, and print has its own dashes

import random
from decimal import Decimal

import zxingcpp
from PIL import Image, ImageFilter

from scripts.sample.paper import (
    GREEN,
    INK,
    LINE,
    MONO,
    MONO_BOLD,
    MUTED,
    NAVY,
    PALE,
    SANS,
    SANS_BOLD,
    Sheet,
    noise,
    scanned,
)

INVOICE_NUMBER = "INV-2025-00417"
PAYMENT_LINK = "https://example.org/pay/INV-2025-00417?amount=478.24"
RECEIPT_NUMBER = "CM-0093-118204"


def invoice() -> Image.Image:
    """An invoice whose sums add up, with a Code 128 and a QR code."""
    s = Sheet(tint=(253, 253, 252))
    s.box(0, 0, 210, 6, GREEN, None)
    s.text(20, 18, "Northfield Paper & Supply", 17, SANS_BOLD, GREEN)
    s.text(
        20,
        26.5,
        "A cooperative  ·  Mill Yard 8, Northfield 30226  ·  office@northfield-supply.example",
        7.5,
        SANS,
        MUTED,
    )
    s.text(190, 17, "INVOICE", 20, SANS_BOLD, INK, "ra")
    s.barcode(123, 33, zxingcpp.BarcodeFormat.Code128, INVOICE_NUMBER, 3, 13)
    s.text(123, 47.5, INVOICE_NUMBER, 8, MONO)
    s.text(20, 46, "Bill to", 7.5, SANS_BOLD, MUTED)
    for row, line in enumerate(("Harbor Street Library", "Purchasing", "14 Harbor Street", "Port Alder 20417")):
        s.text(20, 51 + row * 4.8, line, 9.5, SANS)
    facts = (
        ("Invoice date", "March 3, 2025"),
        ("Delivery", "February 27, 2025"),
        ("Customer no.", "40 118"),
        ("Terms", "30 days net"),
    )
    for row, (label, value) in enumerate(facts):
        s.text(123, 56 + row * 4.8, label, 8, SANS, MUTED)
        s.text(190, 56 + row * 4.8, value, 9, SANS, INK, "ra")

    items = (
        ("A-1080", "Copy paper A4, 80 g, white, box of 2,500 sheets", 6, "24.90"),
        ("A-3120", "Archival board, acid-free, 70 × 100 cm", 12, "6.35"),
        ("B-0417", "Book repair tissue, Japanese, 9 g, roll of 10 m", 4, "18.20"),
        ("B-2206", "Linen tape, self-adhesive, 30 mm × 50 m", 3, "14.75"),
        ("C-0090", "Label rolls for spine printer, 2,000 pieces", 5, "9.60"),
        ("C-1150", "Protective sleeves, polyester, A4, pack of 100", 2, "22.40"),
        ("Z-0001", "Delivery", 1, "11.50"),
    )
    top = 86.0
    s.box(20, top, 170, 8, GREEN, None)
    columns = (
        (23, "No.", "la"),
        (43, "Description", "la"),
        (133, "Quantity", "ra"),
        (160, "Unit price", "ra"),
        (187, "Amount", "ra"),
    )
    for x, title, anchor in columns:
        s.text(x, top + 2.2, title, 8.5, SANS_BOLD, (255, 255, 255), anchor)
    y, subtotal = top + 8, Decimal(0)
    for row, (number, title, quantity, price) in enumerate(items):
        if row % 2:
            s.box(20, y, 170, 8.4, PALE, None)
        amount = quantity * Decimal(price)
        subtotal += amount
        cells = (number, title, str(quantity), price, f"{amount:.2f}")
        for (x, _, anchor), cell in zip(columns, cells, strict=True):
            s.text(x, y + 2.3, cell, 9, SANS, INK, anchor)
        y += 8.4
    s.rule(20, y, 190, y, 0.35)
    tax = (subtotal * Decimal("0.07")).quantize(Decimal("0.01"))
    for label, charge, face in (
        ("Subtotal", subtotal, SANS),
        ("Sales tax 7%", tax, SANS),
        ("Total due", subtotal + tax, SANS_BOLD),
    ):
        y += 7
        s.text(160, y, label, 9.5, face, INK, "ra")
        s.text(187, y, f"{charge:.2f}", 9.5, face, INK, "ra")
    s.rule(130, y + 6, 190, y + 6, 0.6)
    if f"amount={subtotal + tax:.2f}" not in PAYMENT_LINK:
        raise ValueError(f"The QR code should ask for {subtotal + tax:.2f}.")

    s.barcode(20, 202, zxingcpp.BarcodeFormat.QRCode, PAYMENT_LINK, 7, 0)
    s.text(62, 203, "Pay by phone", 10, SANS_BOLD)
    y = s.paragraph(
        62,
        209,
        70,
        "Scan the code with your banking application. Amount and reference are filled in; please "
        "check them before you confirm.",
        8.5,
        SANS,
    )
    s.text(62, y + 2, "Or by transfer: account 0042 118 903, Northfield Mutual", 8.5, SANS)
    s.paragraph(
        20,
        249,
        170,
        "Goods remain our property until they are paid for in full. Boxes and pallets are collected "
        "with the next delivery. Questions about this invoice: 555-0167, weekdays from 8 to 16.",
        7.5,
        SANS,
        MUTED,
    )
    s.rule(20, 280, 190, 280, 0.2, LINE)
    s.text(20, 283, "Cooperative register NF 2217  ·  Tax no. 30/226/4418", 7, SANS, MUTED)
    s.text(190, 283, "Page 1 of 1", 7, SANS, MUTED, "ra")
    s.stamp(157, 220, ("HARBOR STREET LIBRARY", "RECEIVED", "MAR 06 2025"), 9)
    return scanned(s.image, 2)


def _form() -> Sheet:
    s = Sheet(tint=(255, 254, 248))
    s.box(15, 13, 180, 17, (224, 234, 244), None)
    s.text(20, 16.5, "Meadow Lane Community Center", 13, SANS_BOLD, NAVY)
    s.text(20, 23.5, "3 Meadow Lane, Port Alder 20419", 8, SANS, MUTED)
    s.text(190, 16.5, "Room booking request", 13, SANS_BOLD, NAVY, "ra")
    return s


def form_front() -> Image.Image:
    """The front of a form, filled in with typewriter and pen."""
    s, rng = _form(), random.Random(3)
    s.text(190, 23.5, "Form RB-2  ·  side 1 of 2", 8, SANS, MUTED, "ra")
    s.text(
        15,
        35,
        "Please fill in with block letters and return to the office at least ten days before the event.",
        8.5,
        SANS,
        MUTED,
    )

    def field(x: float, y: float, width: float, label: str, value: str) -> None:
        s.box(x, y, width, 12, (255, 255, 255), NAVY)
        s.text(x + 1.5, y + 1, label, 6.5, SANS, NAVY)
        s.text(x + 3 + rng.uniform(-0.5, 0.8), y + 5.4 + rng.uniform(-0.4, 0.4), value, 10, MONO, (44, 42, 60))

    def choices(x: float, y: float, labels: tuple[str, ...], chosen: tuple[int, ...], step: float) -> None:
        for number, label in enumerate(labels):
            s.box(x + number * step, y, 4, 4, (255, 255, 255), NAVY)
            s.text(x + number * step + 6, y, label, 9, SANS)
            if number in chosen:
                s.cross(x + number * step, y, 4, rng)

    s.text(15, 44, "1   Who is asking", 10.5, SANS_BOLD, NAVY)
    field(15, 51, 115, "Group or organization", "THURSDAY READING CIRCLE")
    field(132, 51, 63, "Member number", "MLC-2048")
    field(15, 65, 90, "Contact desk", "HARBOR STREET LIBRARY")
    field(107, 65, 88, "Telephone", "555-0142")
    s.text(15, 83, "2   The event", 10.5, SANS_BOLD, NAVY)
    field(15, 90, 115, "Title", "SPRING READING WITH DISCUSSION")
    field(132, 90, 63, "Expected number of people", "45")
    field(15, 104, 58, "Date", "05 / 22 / 2025")
    field(75, 104, 58, "From", "18:30")
    field(135, 104, 60, "To", "21:00")
    s.text(15, 122, "Kind of event", 8.5, SANS, NAVY)
    choices(15, 128, ("Private", "Public, free entry", "Public, with tickets", "Course"), (1,), 45)
    s.text(15, 141, "3   Rooms and equipment", 10.5, SANS_BOLD, NAVY)
    choices(15, 149, ("Great hall", "Garden room", "Studio", "Kitchen"), (1, 3), 45)
    choices(15, 157, ("Projector", "Microphones", "Piano", "Stage light"), (1,), 45)
    field(15, 166, 180, "Seating (rows, tables, circle)", "ROWS, 6 X 8, CENTER AISLE")
    s.text(15, 184, "4   Fees", 10.5, SANS_BOLD, NAVY)
    fees, y, total = (
        (("Garden room, 3 hours at 22.00", 66), ("Kitchen, flat rate", 15), ("Two microphones", 12)),
        191.0,
        0,
    )
    for label, amount in fees:
        total += amount
        s.box(15, y, 140, 8, (255, 255, 255), NAVY)
        s.box(155, y, 40, 8, (255, 255, 255), NAVY)
        s.text(18, y + 2, label, 9, SANS)
        s.text(192, y + 2, f"{amount}.00", 9.5, MONO, (44, 42, 60), "ra")
        y += 8
    s.box(155, y, 40, 8, (224, 234, 244), NAVY)
    s.text(152, y + 2, "Total", 9, SANS_BOLD, NAVY, "ra")
    s.text(192, y + 2, f"{total}.00", 9.5, MONO_BOLD, (44, 42, 60), "ra")
    s.text(15, 234, "5   Remarks", 10.5, SANS_BOLD, NAVY)
    s.box(15, 241, 180, 30, (255, 255, 255), NAVY)
    for row, line in enumerate(
        ("PLEASE LEAVE THE GARDEN DOOR UNLOCKED UNTIL 22:00.", "WE BRING OUR OWN GLASSES AND WILL WASH UP.")
    ):
        s.text(18, 246 + row * 8, line, 9.5, MONO, (44, 42, 60))
    s.text(195, 279, "Turn over: conditions and signature", 8, SANS_BOLD, NAVY, "ra")
    return scanned(s.image, 3)


def form_back() -> Image.Image:
    """The back of the form: conditions, date and signature, the office's part."""
    s, rng = _form(), random.Random(4)
    s.text(190, 23.5, "Form RB-2  ·  side 2 of 2", 8, SANS, MUTED, "ra")
    s.text(15, 38, "Conditions of use", 12, SANS_BOLD, NAVY)
    y = 47.0
    for number, text in enumerate(
        (
            "A booking is binding once the office has confirmed it in writing. A request alone does "
            "not reserve a room.",
            "Rooms are handed over clean and with the furniture in its basic arrangement, and are "
            "returned in the same state. Cleaning that becomes necessary is charged at cost.",
            "The number of people must not exceed the number posted at the door. Escape routes stay "
            "clear at all times, and doors marked in green are never locked.",
            "Music ends at 22:00 from Sunday to Thursday and at 23:30 on Fridays and Saturdays. "
            "Windows facing Meadow Lane stay closed after 20:00.",
            "Open flames are not permitted. Kitchen appliances may be used by people who have been "
            "shown how; the list of these people hangs beside the door.",
            "Cancellation is free until seven days before the event. After that half of the fee is "
            "due, and the whole fee on the day itself.",
            "The group answers for damage that its guests cause. Please report it the same evening: "
            "most things can be mended when we know about them.",
            "Personal details on this form are used for this booking only and destroyed at the end of"
            " the following year.",
        ),
        1,
    ):
        s.text(20, y, f"{number}.", 9, SANS_BOLD, NAVY, "ra")
        y = s.paragraph(24, y, 168, text, 9, SANS) + 2.4
    y = 158.0
    s.cross(15, y, 4, rng)
    s.box(15, y, 4, 4, None, NAVY)
    s.text(22, y, "We have read the conditions and accept them.", 9.5, SANS)
    s.rule(15, 186, 85, 186, 0.3)
    s.text(15, 187.5, "Place and date", 7.5, SANS, MUTED)
    s.text(18, 180, "PORT ALDER, 03 / 18 / 2025", 10, MONO, (44, 42, 60))
    s.rule(105, 186, 195, 186, 0.3)
    s.text(105, 187.5, "Signature for the group", 7.5, SANS, MUTED)
    s.signature(118, 181, 46, rng)
    s.box(15, 204, 180, 62, (240, 240, 236), LINE)
    s.text(19, 208, "For the office", 10, SANS_BOLD, MUTED)
    for row, (label, chosen) in enumerate(
        (
            ("Room free on that date", True),
            ("Deposit received", True),
            ("Caretaker informed", False),
            ("Key handed out", False),
        )
    ):
        s.box(19, 218 + row * 9, 4, 4, (255, 255, 255), MUTED)
        s.text(26, 218 + row * 9, label, 9, SANS)
        if chosen:
            s.cross(19, 218 + row * 9, 4, rng, (30, 30, 34))
    s.stamp(150, 236, ("MEADOW LANE CENTER", "CONFIRMED", "MAR 21 2025"), -7, (40, 70, 150))
    # Without paper and noise, as scanners deliver it that clean up pages themselves.
    return s.image.filter(ImageFilter.GaussianBlur(0.5))


def upside_down() -> Image.Image:
    """A timetable that was put into the feeder the wrong way round."""
    s = Sheet(tint=(252, 251, 240))
    s.box(0, 0, 210, 34, (24, 74, 122), None)
    s.box(20, 9, 18, 16, (250, 206, 60), None)
    s.text(29, 17, "7", 24, SANS_BOLD, (24, 44, 82), "mm")
    s.text(44, 8.5, "Riverside Tramways", 11, SANS, (220, 232, 244))
    s.text(44, 15.5, "Customs House – Old Mill", 17, SANS_BOLD, (255, 255, 255))
    s.text(190, 27, "valid from April 6, 2025", 8, SANS, (220, 232, 244), "ra")
    s.text(20, 42, "Monday to Friday", 12, SANS_BOLD)
    stops = (
        ("Customs House", 0),
        ("Harbor Street Library", 3),
        ("Market Square", 5),
        ("Meadow Lane", 9),
        ("Waterworks", 12),
        ("Riverside Depot", 16),
        ("Garden Gate", 19),
        ("Old Mill", 22),
    )
    departures = (312, 342, 362, 382, 402, 417, 432, 447, 462, 482)

    def table(top: float, times: tuple[int, ...]) -> float:
        for row, (stop, minutes) in enumerate(stops):
            y = top + row * 7.4
            if row % 2 == 0:
                s.box(20, y, 170, 7.4, (228, 236, 242), None)
            s.text(23, y + 1.8, stop, 9, SANS_BOLD if row in (0, 7) else SANS)
            for column, start in enumerate(times):
                at = start + minutes
                s.text(83 + column * 11.6, y + 1.8, f"{at // 60}:{at % 60:02}", 9, SANS, INK, "ra")
        s.rule(20, top + len(stops) * 7.4, 190, top + len(stops) * 7.4, 0.4, (24, 74, 122))
        return top + len(stops) * 7.4

    y = table(50, departures)
    s.text(20, y + 3, "then every 15 minutes until 19:17, every 20 minutes until 23:42", 9, SANS, MUTED)
    s.text(20, y + 15, "Saturday, Sunday and holidays", 12, SANS_BOLD)
    y = table(y + 23, tuple(departure + 78 for departure in departures))
    s.text(20, y + 3, "then every 20 minutes until 22:40", 9, SANS, MUTED)
    s.text(20, y + 17, "Good to know", 12, SANS_BOLD)
    s.paragraph(
        20,
        y + 25,
        170,
        "Trams with a wheel sign in the window have a low floor. Bicycles travel free after nine in "
        "the morning and all day at weekends. During the street fair on May 10 the line ends at "
        "Market Square; a bus runs "
        "from there to the Waterworks every ten minutes. Tickets are sold at the machines on board, "
        "by card or coin, and are valid for seventy minutes in every direction.",
        9.5,
        SANS,
    )
    s.text(20, 280, "Information and lost property: 555-0190, daily from 6 to 22", 8.5, SANS, MUTED)
    return scanned(s.image.transpose(Image.Transpose.ROTATE_180), 8)


def receipt() -> Image.Image:
    """A receipt from a thermal printer, 80 mm wide, whose sums add up."""
    s = Sheet(80, 172, (250, 250, 247))
    ink = (58, 58, 66)
    s.text(40, 7, "CORNER MARKET", 15, SANS_BOLD, ink, "ma")
    for row, line in enumerate(
        ("Quay Passage 21, Port Alder", "Open daily 7-21   Tel. 555-0118", "Tax no. 20/417/0093")
    ):
        s.text(40, 15 + row * 4.2, line, 7.5, MONO, ink, "ma")
    s.text(5, 31, "03/15/2025 10:42", 7.5, MONO, ink)
    s.text(75, 31, "Register 2", 7.5, MONO, ink, "ra")
    s.text(40, 35.4, "-" * 36, 8, MONO, ink, "ma")
    items = (
        ("Rye bread 750 g", 1, "3.40"),
        ("Butter, salted", 2, "2.65"),
        ("Apples, bag", 1, "2.99"),
        ("Oat milk 1 l", 3, "1.79"),
        ("Coffee beans 500 g", 1, "7.49"),
        ("Pencils HB", 4, "0.65"),
        ("Bag, paper", 1, "0.15"),
    )
    y, total = 40.0, Decimal(0)
    for title, count, price in items:
        amount = count * Decimal(price)
        total += amount
        s.text(5, y, title, 8, MONO, ink)
        if count > 1:
            y += 4.2
            s.text(9, y, f"{count} x {price}", 8, MONO, ink)
        s.text(75, y, f"{amount:.2f}", 8, MONO, ink, "ra")
        y += 4.6
    s.text(40, y, "-" * 36, 8, MONO, ink, "ma")
    s.text(5, y + 4.5, "TOTAL", 12, MONO_BOLD, ink)
    s.text(75, y + 4.5, f"{total:.2f}", 12, MONO_BOLD, ink, "ra")
    paid = Decimal(40)
    net = (total / Decimal("1.07")).quantize(Decimal("0.01"))
    for label, value in (("Cash", paid), ("Change", paid - total), ("Net", net), ("Tax 7%", total - net)):
        s.text(5, y + 12.5, label, 8, MONO, ink)
        s.text(75, y + 12.5, f"{value:.2f}", 8, MONO, ink, "ra")
        y += 4.4
    s.text(40, y + 14, "-" * 36, 8, MONO, ink, "ma")
    s.text(40, y + 19.5, "Thank you, and a good day!", 8.5, MONO_BOLD, ink, "ma")
    s.text(40, y + 24.5, "Goods in good order can be returned", 6.5, MONO, ink, "ma")
    s.text(40, y + 28, "with this receipt within 14 days.", 6.5, MONO, ink, "ma")
    s.barcode(19, y + 35, zxingcpp.BarcodeFormat.Code128, RECEIPT_NUMBER, 2, 11)
    s.text(40, y + 47.5, RECEIPT_NUMBER, 7.5, MONO, ink, "ma")
    fading = noise((1, 40), random.Random(9), 9).resize(s.image.size, Image.Resampling.BICUBIC)
    s.image.paste((250, 250, 247), (0, 0), fading.point([max(0, (value - 128) * 5) for value in range(256)]))
    return scanned(s.image, 9)

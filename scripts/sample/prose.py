"""Draws pages of running text: without them, nobody would know how a letter or an article fares."""

# ruff: noqa: S311, RUF001 - drawings need repeatable numbers, not secret ones, and print has its own dashes

import random

from PIL import Image

from scripts.sample.paper import (
    GREEN,
    INK,
    LINE,
    MUTED,
    NAVY,
    PLUM,
    SANS,
    SANS_BOLD,
    SERIF,
    SERIF_BOLD,
    SERIF_ITALIC,
    Sheet,
    scanned,
)


def letter() -> Image.Image:
    """A letter with a letterhead, a list and a signature."""
    s = Sheet()
    for step, height in enumerate((9, 13, 6)):
        s.box(22 + step * 4.4, 30 - height, 3.4, height, NAVY, None)
    s.curve([(20, 32), (24, 30.8), (28, 32), (32, 33.2), (36, 32), (38, 31.4)], NAVY, 0.7)
    s.text(42, 17, "Harbor Street Library", 19, SERIF_BOLD, NAVY)
    s.text(42, 26.5, "Reading rooms, archive and workshops since 1921", 9, SERIF_ITALIC, MUTED)
    s.rule(20, 37, 190, 37, 0.4, NAVY)
    s.text(
        190,
        40,
        "14 Harbor Street, Port Alder 20417   ·   desk@harbor-street.example   ·   555-0142",
        7,
        SANS,
        MUTED,
        "ra",
    )
    for row, line in enumerate(
        (
            "To the members of the",
            "Thursday Reading Circle",
            "Meadow Lane Community Center",
            "3 Meadow Lane",
            "Port Alder 20419",
        )
    ):
        s.text(25, 56 + row * 5, line, 9.5)
    s.text(185, 56, "March 14, 2025", 9.5, SERIF, INK, "ra")
    s.text(185, 61, "Our reference: RR/25-031", 8, SERIF, MUTED, "ra")
    s.text(25, 94, "Opening hours while the reading room is renovated", 11, SERIF_BOLD)
    s.text(25, 104, "Dear members,", 9.5)
    y = 112.0
    for text in (
        "The floor of the main reading room is as old as the building, and it has carried a great "
        "many chairs. From Monday, April 7, it will be taken up, "
        "insulated and laid again with the same oak boards, as far as they can be saved. The work is "
        "paid for by the city's fund for public buildings and by the gifts "
        "that you and many others have made over the last two years, for which we thank you once more.",
        "The library stays open throughout. The newspapers, the catalog terminals and twenty-four "
        "desks move to the map room on the first floor, which can be reached by the "
        "elevator next to the east entrance. Books from the stacks are fetched twice a day instead of"
        " hourly. During the renovation we are open as follows:",
    ):
        y = s.paragraph(25, y, 160, text, 9.5, justify=True) + 3
    for day, hours in (
        ("Monday to Wednesday", "10:00 – 18:00"),
        ("Thursday", "10:00 – 21:00"),
        ("Friday", "10:00 – 16:00"),
        ("Saturday", "09:00 – 13:00"),
    ):
        s.text(33, y, "•", 9.5)
        s.text(37, y, day, 9.5)
        s.text(88, y, hours, 9.5)
        y += 5.2
    y += 3
    for text in (
        "Your circle keeps its usual evening. We have reserved the small seminar room for you on all "
        "Thursdays until the end of June, with a projector and tea. "
        "If you expect more than eighteen people, please tell the desk by noon of the same day, so "
        "that we can open the folding wall.",
        "Noise cannot be avoided altogether: the loudest work is planned for the two weeks after "
        "Easter, between seven and ten in the morning. We expect to hand the room back to "
        "its readers on July 1, and we would be glad to see you at the opening.",
    ):
        y = s.paragraph(25, y, 160, text, 9.5, justify=True) + 3
    s.text(25, y + 3, "With kind regards,", 9.5)
    s.signature(28, y + 18, 38, random.Random(11))
    s.text(25, y + 27, "Reader Services", 9.5)
    s.text(25, y + 32, "Harbor Street Library", 9.5)
    s.rule(20, 280, 190, 280, 0.2, LINE)
    s.text(
        105,
        283,
        "Accessible entrance: Quay Passage  ·  Streetcar lines 2 and 7, stop Customs House",
        7,
        SANS,
        MUTED,
        "ma",
    )
    return scanned(s.image, 1)


def article() -> Image.Image:
    """A magazine page in two columns, with a chart and a pull quote."""
    s = Sheet(tint=(250, 247, 238))
    s.text(22, 15, "THE TIDEWATER REVIEW", 8.5, SERIF_BOLD, PLUM)
    s.text(188, 15, "Spring 2025", 8.5, SERIF_ITALIC, MUTED, "ra")
    s.rule(22, 20, 188, 20, 0.3, PLUM)
    s.text(22, 27, "What the tide gauges remember", 23, SERIF_BOLD)
    s.paragraph(
        22,
        40,
        166,
        "A hundred years of pencil lines in the harbor office turn out to be the longest unbroken "
        "record on this coast. Reading them took two winters.",
        11,
        SERIF_ITALIC,
        MUTED,
    )
    left = (
        "For most of the last century, somebody climbed down eleven iron steps every Monday morning "
        "and changed a sheet of paper. The sheet was wound around a brass drum, the drum turned once "
        "in seven days, and a pencil, moved by a float in a pipe, drew the height of the water. "
        "Nobody looked at the sheets for long. They were dated, folded twice and put in a drawer.",
        "The drawers were found when the harbor office moved. There are 5,148 sheets in them, from "
        "October 1919 to the spring of 2018, when an electronic gauge took over. Forty-one weeks are "
        "missing, most of them in the winter of 1943. It is the longest record between the two capes,"
        " and until now it existed only as graphite.",
        "Volunteers scanned the sheets at the library, three evenings a week. The harder part came "
        "afterwards. Paper shrinks, pencils wear down and are sharpened in the middle of a high tide,"
        " and drums run "
        "slow in the cold. Each line had to be stretched until its tides agreed with the moon.",
    )
    right = (
        "What came out is a curve that rises, as expected, but not steadily. There is a step in the "
        "thirties, when the north mole was built, and the basin began to empty more slowly. "
        "There is a flat stretch of almost twenty years that no one can explain yet. And since about "
        "1990 the line has climbed faster than at any time before.",
        "Storm surges are a story of their own. The great flood that every family on Quay Passage "
        "talks about was, it turns out, only the fourth highest. The highest came on an ordinary "
        "night "
        "in November 1962, at low tide, and nobody noticed.",
        "All sheets can now be seen in the map room, and the readings are free to use. The brass drum"
        " still turns, by the way: the new gauge is more precise, but it needs electricity, and "
        "the harbor master likes to be able to ask both.",
    )
    y = 58.0
    for text in left:
        y = s.paragraph(22, y, 79, text, 9.2, justify=True, leading=1.48) + 2.2
    s.box(22, y + 4, 79, 52, (255, 253, 247), LINE)
    base, rng, level, points = y + 48, random.Random(5), 0.0, []
    for year in range(1920, 2019):
        level += (
            0.10 if year < 1936 else 0.35 if year < 1940 else 0.14 if year < 1966 else 0.0 if year < 1985 else 0.55
        ) * 0.95
        points.append((30 + (year - 1920) * 0.69, base - 6 - level * 0.98 + rng.uniform(-0.9, 0.9)))
    for row in range(5):
        s.rule(30, base - row * 9, 98, base - row * 9, 0.12, LINE)
        s.text(28.5, base - row * 9, str(row * 10), 6, SANS, MUTED, "rm")
    for year in range(1920, 2019, 20):
        s.text(30 + (year - 1920) * 0.69, base + 1.5, str(year), 6, SANS, MUTED, "ma")
    s.curve(points, PLUM, 0.5)
    s.text(24, y + 5.4, "cm", 6, SANS, MUTED)
    s.paragraph(
        22,
        y + 58,
        79,
        "Yearly mean height of the water at the customs quay, above the mean of 1920.",
        7.5,
        SERIF_ITALIC,
        MUTED,
    )
    y = 58.0
    for number, text in enumerate(right):
        y = s.paragraph(109, y, 79, text, 9.2, justify=True, leading=1.48) + 2.2
        if number == 0:
            s.rule(109, y + 3, 188, y + 3, 0.5, PLUM)
            y = s.paragraph(
                109,
                y + 7,
                79,
                "“Paper shrinks, drums run slow in the cold, and the moon is always right.”",
                14,
                SERIF_ITALIC,
                PLUM,
                1.35,
            )
            s.rule(109, y + 3, 188, y + 3, 0.5, PLUM)
            y += 9
    s.box(109, y + 6, 79, 40, (240, 230, 232), None)
    s.text(113, y + 10, "See for yourself", 10, SERIF_BOLD, PLUM)
    s.paragraph(
        113,
        y + 17,
        71,
        "The map room of the Harbor Street Library shows twelve of the original sheets until the end "
        "of June. Entry is free. Guided tours on Saturdays at eleven; groups, please ask at the desk.",
        8.5,
        SERIF,
    )
    s.text(188, 283, "27", 9, SERIF, MUTED, "ra")
    return scanned(s.image, 5)


def blank() -> Image.Image:
    """The empty back of the article, with the faintest show-through of paper and scanner."""
    return scanned(Sheet(tint=(250, 247, 238)).image, 6, 2.0)


def skewed() -> Image.Image:
    """Minutes that went through the feeder 2.5 degrees askew."""
    s = Sheet(tint=(250, 250, 248))
    s.text(25, 24, "Old Mill Garden Association", 15, SANS_BOLD, GREEN)
    s.text(25, 32.5, "Minutes of the spring meeting, March 22, 2025, in the tool barn", 9.5, SANS, MUTED)
    s.rule(25, 39, 185, 39, 0.5, GREEN)
    s.text(25, 44, "Present: 31 of 58 plots. The meeting can decide. Begin 15:05, end 16:40.", 9.5, SANS)
    y = 55.0
    for number, (title, text) in enumerate(
        (
            ("Minutes of the autumn meeting", "Read and approved without changes."),
            (
                "Water",
                "The pump was overhauled in February and draws 4.2 cubic meters an hour again. Water "
                "is on from April 5. Leaking taps are to be reported on the slate beside the gate, "
                "not to the neighbors. The meter readings of the last season "
                "are posted in the barn; objections are possible until the end of April.",
            ),
            (
                "Paths and hedges",
                "The middle path stays closed to wheelbarrows until the drainage is finished. Hedges "
                "along the mill stream are cut once, after August 1, on account of the birds. Plots "
                "12 to 19 share the rented shredder on "
                "the last Saturday of September; the key is in the usual place.",
            ),
            (
                "Accounts",
                "Income 4,310.00, expenses 3,874.50, carried over 435.50. The auditors found the "
                "books in order. The meeting relieves the treasurer, with thanks.",
            ),
            (
                "Yearly fee",
                "The board proposes to leave the fee at 62.00 a plot. Agreed: 29 in favor, none "
                "against, 2 abstentions.",
            ),
            (
                "Summer fair",
                "June 28, from 14:00. The bread oven is lit the evening before. Cakes are needed; a "
                "list hangs in the barn. The brass band of the Riverside depot has promised to come.",
            ),
            (
                "Other matters",
                "The owl box is occupied again. Bicycles must not be chained to the pump. Nine plots "
                "are on the waiting list.",
            ),
        ),
        1,
    ):
        s.text(25, y, f"{number}", 10, SANS_BOLD, GREEN)
        s.text(32, y, title, 10, SANS_BOLD)
        y = s.paragraph(32, y + 5.4, 153, text, 9.5, SANS, leading=1.45) + 4
    s.text(25, y + 6, "For the record:", 9.5, SANS)
    s.signature(60, y + 12, 34, random.Random(8))
    s.signature(125, y + 11, 40, random.Random(19), (40, 40, 44))
    s.rule(55, y + 20, 105, y + 20)
    s.rule(120, y + 20, 175, y + 20)
    s.text(55, y + 21.5, "Secretary", 7.5, SANS, MUTED)
    s.text(120, y + 21.5, "Chair", 7.5, SANS, MUTED)
    backing = (206, 207, 208)
    turned = s.image.rotate(2.5, Image.Resampling.BICUBIC, fillcolor=backing)
    return scanned(turned, 7)

"""Where this broker answers otherwise than the recorded real one, and why: the reasons of `docs/broker.md`.

A difference that is in no list fails the test, and so does an entry that differs no longer: the lists only shrink.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A kind of difference that stays.

    Attributes:
        reason: Why.
        where: A regular expression for the places in an answer.
        requests: The numbers of the requests; all if empty.
    """

    reason: str
    where: str
    requests: tuple[int, ...] = ()


KNOWN: tuple[Known, ...] = (
    Known("a real broker fails", "status: 500 ", (33, 173, 285, 296, 343, 477)),
    Known("a real broker shows a program's objects", r".*\.shortDescription: '\{", (360, 362)),
    Known("a real broker names another version than the one that failed", r".*(reason|notices)", (288,)),
    Known("a real broker names a tag twice", r".* with tag 'prod' and 'prod'", (390,)),
)

NOT_YET: frozenset[int] = frozenset(
    {
        1,
        3,
        6,
        9,
        *range(12, 14),
        17,
        *range(24, 26),
        *range(31, 33),
        34,
        *range(37, 40),
        43,
        47,
        *range(49, 51),
        *range(52, 63),
        *range(64, 68),
        *range(69, 86),
        *range(87, 90),
        *range(92, 94),
        97,
        *range(100, 103),
        *range(106, 108),
        *range(109, 111),
        *range(112, 114),
        115,
        *range(117, 128),
        *range(129, 132),
        *range(133, 136),
        *range(139, 141),
        144,
        146,
        148,
        151,
        155,
        158,
        160,
        162,
        164,
        169,
        *range(184, 188),
        *range(189, 192),
        194,
        200,
        203,
        207,
        210,
        215,
        *range(217, 219),
        *range(222, 224),
        *range(225, 228),
        *range(229, 233),
        234,
        238,
        *range(337, 339),
        *range(403, 406),
        *range(409, 412),
        *range(415, 419),
        *range(421, 435),
        *range(436, 438),
        *range(439, 450),
        460,
        *range(467, 471),
        *range(473, 477),
        *range(478, 491),
        *range(495, 511),
        *range(515, 521),
        *range(522, 524),
        *range(525, 528),
        *range(529, 540),
        *range(545, 548),
        *range(554, 560),
    }
)
"""Requests that aren't answered as by a real broker yet."""

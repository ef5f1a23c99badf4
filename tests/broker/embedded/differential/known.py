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


LEFT_OUT_LINKS = frozenset(
    {
        "curies",
        "pb:can-i-deploy-badge",
        "pb:can-i-deploy-branch-to-environment-badge",
        "pb:dashboard",
        "pb:diff",
        "pb:diff-previous-distinct",
        "pb:latest-branch-pact-versions",
        "pb:latest-main-branch-pact-versions",
        "pb:main-branch-pact-versions",
        "pb:metrics",
    }
)
"""Links to what isn't here: pages that explain relations, badges, the dashboard, metrics, and differences of pacts."""

_HEAD_AND_OPTIONS = (515, 516, 517, 518, 519, 520, 522, 523, 525, 526, 527, 529, 530, 531, 532)

KNOWN: tuple[Known, ...] = (
    # A real broker is at fault.
    Known("a real broker fails", "status: 500 ", (33, 173, 285, 296, 343, 477)),
    Known("a real broker shows a program's objects", r".*\.shortDescription: '\{", (360, 362)),
    Known("a real broker names another version than the one that failed", r".*(reason|notices)", (288,)),
    Known("a real broker names a tag twice", r".* with tag 'prod' and 'prod'", (390,)),
    Known(
        "a real broker calls a template no template",
        r".*pb:tagged-pact-versions\.templated",
        (1, 57, 479, 483, 495, 507),
    ),
    Known("a real broker shows a difference that isn't well-formed", r"\.body\.notices\[1\]", (24, 25)),
    Known("a real broker leaves the name out of the title and the links", r"\.body\._links", (102,)),
    Known("a real broker links to a path without a host", r".*pb:matrix\.href: '/matrix", (60, 190)),
    Known("a real broker lists a pact twice that was published twice", r".*: recorded \d+ items", (67, 184)),
    Known("a real broker takes the latest pact rather than the latest with the tag", r"\.body\.", (187,)),
    Known(
        "a real broker misspells the URL in Location",
        r"\.headers.*(location|pacticpants)",
        (416, 417, 423, 424, 426, 427, 428, 534),
    ),
    Known("a real broker stores a number as a text", "status: 201 != 400", (446,)),
    # This broker is kinder: it takes what is clear, and says why it doesn't take the rest.
    Known("a real broker names an exception of Ruby's", r"\.body\.error: 'TypeError", (37,)),
    Known("a real broker doesn't say why", r"\.body: None != \{'error'|\.headers", (39, 53, 533)),
    Known("nothing is to be sent, so nothing needs a content type", "status: ", (404, 405, 448, 449)),
    Known(
        "a real broker deletes an integration only for those who accept a page",
        r"status: 406 != (204|404)|\.body\._embedded\.integrations: recorded 7 items, ours 6",
        (545, 546, 547),
    ),
    Known("who asks for what isn't there gets no page", "status: 200 != 406", (499, 501, 502)),
    Known("HEAD and OPTIONS are answered as HTTP has it", r"status: |\.headers", _HEAD_AND_OPTIONS),
    Known("HAL is JSON", "status: 415 != 201", (535,)),
    Known("Python's server takes two slashes at the beginning for one", "status: 404 != 200", (476,)),
    # Left out: see the documentation.
    Known("badges and differences of pacts are left out", "status: 406 != 404", (119, 337, 338)),
    Known("the dashboard and the metrics are left out", "status: 200 != 404", (123, 124, 125)),
)

"""What a query of the matrix selects: a version of a pacticipant, any, or one that doesn't exist; and that in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.embedded.matrix.query import Scope

if TYPE_CHECKING:
    from broker.embedded.storage.tables import Pacticipant, Version


ANY = Scope()


@dataclass(frozen=True)
class Selected:
    """A pacticipant in the matrix, and the version of it that is meant.

    Attributes:
        pacticipant: The pacticipant's name.
        pacticipant_id: Its id; None if there is no such pacticipant.
        scope: What the query says of the version.
        version: None where any version is meant, or none was found.
        specified: Whether the query names the pacticipant, rather than its being integrated with one named.
        one_of_many: Whether other versions were found for the same scope.
        branch: The branch of the scope, also where it is the main branch.
    """

    pacticipant: str
    pacticipant_id: int | None
    scope: Scope = ANY
    version: Version | None = None
    specified: bool = False
    one_of_many: bool = False
    branch: str | None = None

    @property
    def any_version(self) -> bool:
        """Whether the version is left open."""
        return not self.scope.given

    @property
    def missing(self) -> bool:
        """Whether there is no such version."""
        return self.pacticipant_id is None or (self.version is None and not self.any_version)

    @property
    def needs_each(self) -> bool:
        """Whether a version that lacks a result is no less in use for another version's having one."""
        return self.scope.environment is not None

    def covers(self, pacticipant_id: int, version_id: int | None) -> bool:
        """Return whether a version of a pacticipant is meant."""
        if self.pacticipant_id != pacticipant_id:
            return False
        return self.any_version or (self.version is not None and self.version.id == version_id)

    @property
    def description(self) -> str:
        """The version in words, for reasons."""
        name, scope = self.pacticipant, self.scope
        number = self.version.number if self.version else None
        known = number or "no such version exists"
        if self.pacticipant_id is None:
            return f"any version of {name} (no such pacticipant exists)"
        if scope.latest and scope.tag:
            return f"the latest version of {name} with tag {scope.tag} ({known})"
        if scope.main_branch and number is None:
            which = "the latest version" if scope.latest else "any version"
            return f"{which} of {name} from the main branch (no versions exist for this branch)"
        if scope.latest:
            branch = f" from branch {self.branch}" if self.branch else ""
            return f"the latest version of {name}{branch} ({known})"
        return self._described_one(number, known)

    def _described_one(self, number: str | None, known: str) -> str:
        name, scope = self.pacticipant, self.scope
        this = "a version" if number is None else "one of the versions" if self.one_of_many else "the version"
        if self.branch:
            return f"{this} of {name} from branch {self.branch} ({known})"
        if scope.tag:
            return f"a version of {name} with tag {scope.tag} ({known})"
        if scope.environment:
            nothing = "no version is currently recorded as deployed/released in this environment"
            return f"{this} of {name} currently in {scope.environment} ({number or nothing})"
        if scope.version:
            return f"version {scope.version} of {name}" + ("" if number else f" ({known})")
        return f"any version of {name}"

    @property
    def why_missing(self) -> str:
        """That there is no such version, in words."""
        name, scope = self.pacticipant, self.scope
        if scope.tag:
            return f"No version with tag {scope.tag} exists for {name}"
        if self.branch:
            return f"No version of {name} from branch {self.branch} exists"
        if scope.main_branch:
            return f"No version of {name} from the main branch exists"
        if scope.environment:
            where = f"environment {scope.environment}"
            return f"No version of {name} is currently recorded as deployed or released in {where}"
        version = f"version {scope.version} of " if scope.version else ""
        return f"No pacts or verifications have been published for {version}{name}"


def of_version(pacticipant: Pacticipant, version: Version | None) -> Selected:
    """Return a version that no selector of the query names; None for any."""
    scope = Scope(version=version.number) if version else Scope()
    return Selected(pacticipant.name, pacticipant.id, scope, version)

"""The tables, as SQLAlchemy sees them.

A row's id is never used again, so its order is the order of creation: "latest" means the greatest id.
Times are text in ISO 8601, UTC, as the answers show them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def now() -> str:
    """Return the time as a Pact Broker writes it: `2026-11-21T22:37:23+00:00`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _owned_by(column: str) -> Any:
    return mapped_column(ForeignKey(column, ondelete="CASCADE"), index=True)


def _once(*columns: str) -> tuple[UniqueConstraint, dict[str, bool]]:
    return UniqueConstraint(*columns), {"sqlite_autoincrement": True}


def _results_before() -> Any:
    """Return the column with the id of the latest verification result when the row was made, 0 for none."""
    return mapped_column(default=0, server_default="0")


class Base(DeclarativeBase):
    """The base of all tables."""


class Pacticipant(Base):
    """An application that takes part in a contract, as consumer, provider or both."""

    __tablename__ = "pacticipants"
    __table_args__ = _once("name")

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    display_name: Mapped[str | None]
    repository_url: Mapped[str | None]
    main_branch: Mapped[str | None]
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None]


class Version(Base):
    """A version of a pacticipant."""

    __tablename__ = "versions"
    __table_args__ = _once("pacticipant_id", "number")

    id: Mapped[int] = mapped_column(primary_key=True)
    pacticipant_id: Mapped[int] = _owned_by("pacticipants.id")
    number: Mapped[str]
    build_url: Mapped[str | None]
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None]

    pacticipant: Mapped[Pacticipant] = relationship()
    tags: Mapped[list[Tag]] = relationship(order_by="Tag.id", viewonly=True)
    branch_versions: Mapped[list[BranchVersion]] = relationship(order_by="BranchVersion.id", viewonly=True)


class Branch(Base):
    """A branch of a pacticipant's source."""

    __tablename__ = "branches"
    __table_args__ = _once("pacticipant_id", "name")

    id: Mapped[int] = mapped_column(primary_key=True)
    pacticipant_id: Mapped[int] = _owned_by("pacticipants.id")
    name: Mapped[str]
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None] = mapped_column(default=now)
    results_before: Mapped[int] = _results_before()

    pacticipant: Mapped[Pacticipant] = relationship()


class BranchVersion(Base):
    """The place of a version on a branch."""

    __tablename__ = "branch_versions"
    __table_args__ = _once("branch_id", "version_id")

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[int] = _owned_by("branches.id")
    version_id: Mapped[int] = _owned_by("versions.id")
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None]

    branch: Mapped[Branch] = relationship()
    version: Mapped[Version] = relationship()


class Tag(Base):
    """A tag on a version."""

    __tablename__ = "tags"
    __table_args__ = _once("version_id", "name")

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = _owned_by("versions.id")
    name: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[str] = mapped_column(default=now)
    results_before: Mapped[int] = _results_before()

    version: Mapped[Version] = relationship()


class PactVersion(Base):
    """A distinct content of the pact of a consumer and a provider, stored once."""

    __tablename__ = "pact_versions"
    __table_args__ = _once("consumer_id", "provider_id", "sha")

    id: Mapped[int] = mapped_column(primary_key=True)
    consumer_id: Mapped[int] = _owned_by("pacticipants.id")
    provider_id: Mapped[int] = _owned_by("pacticipants.id")
    sha: Mapped[str]
    content: Mapped[str] = mapped_column(deferred=True)  # long, and of no use in a list
    created_at: Mapped[str] = mapped_column(default=now)

    consumer: Mapped[Pacticipant] = relationship(foreign_keys=[consumer_id])
    provider: Mapped[Pacticipant] = relationship(foreign_keys=[provider_id])


class Publication(Base):
    """A consumer version's pact with a provider: it has one content, which can't change."""

    __tablename__ = "publications"
    __table_args__ = _once("consumer_version_id", "pact_version_id")

    id: Mapped[int] = mapped_column(primary_key=True)
    consumer_version_id: Mapped[int] = _owned_by("versions.id")
    pact_version_id: Mapped[int] = _owned_by("pact_versions.id")
    created_at: Mapped[str] = mapped_column(default=now)
    results_before: Mapped[int] = _results_before()

    consumer_version: Mapped[Version] = relationship()
    pact_version: Mapped[PactVersion] = relationship()


class VerificationResult(Base):
    """A provider version's result for a pact version. Its id is the number in its URL."""

    __tablename__ = "verification_results"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    pact_version_id: Mapped[int] = _owned_by("pact_versions.id")
    provider_version_id: Mapped[int] = _owned_by("versions.id")
    success: Mapped[bool]
    build_url: Mapped[str | None]
    test_results: Mapped[str | None]
    verified_by: Mapped[str | None]
    wip: Mapped[bool] = mapped_column(
        default=False, server_default="0"
    )  # of a pact that was work in progress
    created_at: Mapped[str] = mapped_column(default=now)

    pact_version: Mapped[PactVersion] = relationship()
    provider_version: Mapped[Version] = relationship()

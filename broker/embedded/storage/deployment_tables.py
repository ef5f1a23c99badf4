"""The tables of environments, deployments, releases and labels."""

from __future__ import annotations

import re

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from broker.embedded.storage.tables import Base, Pacticipant, Version, now

_AUTOINCREMENT = {"sqlite_autoincrement": True}


class Environment(Base):
    """A place where versions run: production, a test stage, a phone."""

    __tablename__ = "environments"
    __table_args__ = (UniqueConstraint("uuid"), UniqueConstraint("name"), _AUTOINCREMENT)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str]
    name: Mapped[str]
    display_name: Mapped[str | None]
    production: Mapped[bool]
    contacts: Mapped[str | None]  # JSON
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None]

    @property
    def shown_name(self) -> str:
        """The display name; without one, the words of the name with capitals, as a real broker does it."""
        words = re.split(r"[-_ ]+", self.name)
        return self.display_name or " ".join(word[:1].upper() + word[1:] for word in words)


class InEnvironment(Base):
    """The time of a version in an environment, from when it was recorded until it ended."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str]
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"), index=True)
    environment_id: Mapped[int] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None]
    ended_at: Mapped[str | None]

    @declared_attr
    def version(cls) -> Mapped[Version]:  # noqa: N805 - as declared_attr has it
        """The version."""
        return relationship()

    @declared_attr
    def environment(cls) -> Mapped[Environment]:  # noqa: N805 - as declared_attr has it
        """The environment."""
        return relationship()


class Deployment(InEnvironment):
    """The deployment of a version to an environment, until another one replaces it or it is taken away.

    An application instance is one of several that run beside each other; each has its own version.
    """

    __tablename__ = "deployed_versions"
    __table_args__ = (
        UniqueConstraint("uuid"),
        Index("currently_deployed", "environment_id", sqlite_where=text("undeployed_at IS NULL")),
        _AUTOINCREMENT,
    )

    application_instance: Mapped[str | None]
    ended_at: Mapped[str | None] = mapped_column("undeployed_at")


class Release(InEnvironment):
    """The release of a version to an environment, where it is in use until its support ends."""

    __tablename__ = "released_versions"
    __table_args__ = (
        UniqueConstraint("uuid"),
        UniqueConstraint("version_id", "environment_id"),
        _AUTOINCREMENT,
    )

    ended_at: Mapped[str | None] = mapped_column("support_ended_at")


class Label(Base):
    """A label of a pacticipant."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("pacticipant_id", "name"), _AUTOINCREMENT)

    id: Mapped[int] = mapped_column(primary_key=True)
    pacticipant_id: Mapped[int] = mapped_column(ForeignKey("pacticipants.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[str] = mapped_column(default=now)

    pacticipant: Mapped[Pacticipant] = relationship()

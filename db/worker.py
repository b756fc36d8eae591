"""Workers that are alive, as they say themselves every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base


class Worker(Base):
    """One child process that holds a loaded engine."""

    __tablename__ = "worker"
    name: Mapped[str] = mapped_column(primary_key=True)
    pid: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str]
    queues: Mapped[list[str]]
    model: Mapped[str]
    revision: Mapped[str]
    engine: Mapped[str]
    device: Mapped[str]
    window: Mapped[int]
    criteria: Mapped[list[str]]
    head: Mapped[str]
    rss_bytes: Mapped[int] = mapped_column(BigInteger)
    job_ms: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # by queue, as this child has seen it
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


@dataclass(frozen=True)
class Beat:
    """What a worker's child says of itself."""

    name: str
    pid: int
    host: str
    queues: list[str]
    model: str
    revision: str
    engine: str
    device: str
    window: int
    criteria: list[str]
    head: str
    rss_bytes: int
    job_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Live:
    """The children that consume a queue now, and the milliseconds that one of its jobs takes them; None: not known."""

    children: int = 0
    job_ms: float | None = None


NOBODY = Live()


def beat(session: Session, said: Beat, within_s: float) -> int:
    """Notes that a child is alive; returns how many are, itself included: heard of in the last `within_s` seconds."""
    row = insert(Worker).values(**asdict(said))
    changed = {**asdict(said), "seen_at": func.now()}
    fresh = Worker.seen_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, within_s)
    others = (Worker.name != said.name) | (Worker.pid != said.pid)
    count = select(func.count() + 1).select_from(Worker).where(fresh & others).scalar_subquery()
    counted = row.on_conflict_do_update(index_elements=["name", "pid"], set_=changed).returning(count)
    return int(session.scalar(counted) or 1)


def leave(session: Session, name: str, pid: int) -> None:
    """Notes that a child has gone."""
    session.execute(delete(Worker).where(Worker.name == name, Worker.pid == pid))


def live_workers(session: Session, within_s: float) -> Sequence[Worker]:
    """Children that were heard of in the last `within_s` seconds."""
    fresh = Worker.seen_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, within_s)
    return session.scalars(select(Worker).where(fresh).order_by(Worker.name, Worker.pid)).all()


def forget_gone(session: Session, after_s: float) -> None:
    """Removes children that have not been heard of for long."""
    session.execute(text("DELETE FROM worker WHERE seen_at < now() - make_interval(secs => :s)"), {"s": after_s})


def live_by_queue(session: Session, within_s: float) -> dict[str, Live]:
    """Who consumes each queue. Of children of different speed, the mean time counts."""
    children: dict[str, list[float | None]] = {}
    for worker in live_workers(session, within_s):
        for queue in worker.queues:
            children.setdefault(queue, []).append(worker.job_ms.get(queue))
    return {queue: Live(len(times), _mean([t for t in times if t is not None])) for queue, times in children.items()}


def _mean(times: Sequence[float]) -> float | None:
    return sum(times) / len(times) if times else None

"""What gunicorn logs, in the form of all other lines, without what it quotes of requests."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

# What follows these words came with a request: an address with its query, or the body of one that was cut wrongly.
QUOTING = ("Invalid request from ip=", "Error handling request")


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's logger, which opens no file and sets no form."""

    def setup(self, cfg: Any) -> None:
        """Its lines go where all others go."""
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """A request that is none, without what it said."""
        super().warning(*_without_quotes(msg, args), **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """A request that broke gunicorn, without its address."""
        super().exception(*_without_quotes(msg, args), **kwargs)


def _without_quotes(msg: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(msg, str) and msg.startswith(QUOTING):
        return (msg.partition(": ")[0].partition(" %s")[0],)
    return (msg, *args)

"""`python -m broker.check`: whether PostgreSQL and Redis can be used as they must be. One sentence for each that can't be,
which says what to do, and exit status 1. `--acl` and `--grants` print the rights that a least privileged user needs."""

from __future__ import annotations

import argparse
import logging
import sys
import uuid
from collections.abc import Iterator

import redis
from pydantic import ValidationError
from redis.exceptions import NoPermissionError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from broker.address import PREFIX, client_of
from broker.settings import BrokerSettings
from db.advice import advice
from db.errors import DatabaseAway
from db.session import Database
from db.tables import Base

log = logging.getLogger(__name__)

# What Celery, its events for Flower, and the counters of requests use. PSUBSCRIBE wants channels by their very pattern.
KEYS, CHANNELS = f"{PREFIX}*", (f"{PREFIX}/0.celery.pidbox", f"{PREFIX}/0.celeryev/*")
COMMANDS = (
    "auth hello select ping client|setinfo client|setname psubscribe punsubscribe publish multi exec watch unwatch del "
    "exists pexpire pttl get set incrby time lpush rpush brpop rpop llen sadd srem smembers hget hset hdel zadd zrem zrange "
    "zrangebyscore zrevrangebyscore eval evalsha script|load script|exists"
)
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def acl(user: str) -> str:
    """The line that makes a user of Redis or Valkey with these rights and no others."""
    channels = " ".join(f"&{each}" for each in CHANNELS)
    commands = " ".join(f"+{each}" for each in COMMANDS.split())
    return f"ACL SETUSER {user} on >PASSWORD resetkeys ~{KEYS} resetchannels {channels} -@all {commands}"


def grants(user: str) -> str:
    """What the owner of the database, who migrates it, gives to the user of API and workers."""
    return (
        f"GRANT USAGE ON SCHEMA public TO {user};\n"
        f"GRANT {', '.join(RIGHTS)} ON ALL TABLES IN SCHEMA public TO {user};\n"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {', '.join(RIGHTS)} ON TABLES TO {user};"
    )


def database(settings: BrokerSettings) -> str | None:
    """What is wrong with the database; None: nothing."""
    opened = Database(settings)
    tables = [table.name for table in Base.metadata.sorted_tables]
    may = " AND ".join(f"has_table_privilege(t, '{right}')" for right in RIGHTS)
    try:
        with opened.statement() as session:
            missing = session.scalars(
                text("SELECT t FROM unnest(CAST(:tables AS text[])) t WHERE to_regclass(t) IS NULL"), {"tables": tables}
            ).all()
            if missing:
                return f"DATABASE_URL: there is no table {missing[0]}: run `python -m db.migrate`, as the owner"
            denied = session.scalars(
                text(f"SELECT t FROM unnest(CAST(:tables AS text[])) t WHERE NOT ({may})"),  # noqa: S608 - ours
                {"tables": tables},
            ).all()
    except DatabaseAway as error:
        return advice("DATABASE_URL", error.__cause__ or error)
    except DBAPIError as error:
        return advice("DATABASE_URL", error)
    finally:
        opened.close()
    return f"DATABASE_URL: no right to {denied[0]}: `python -m broker.check --grants USER`" if denied else None


def broker(settings: BrokerSettings) -> str | None:
    """What is wrong with Redis; None: nothing. What is not allowed is found by doing it, on a key that nobody has."""
    try:
        with client_of(settings, settings.redis_connect_s) as client:
            client.ping()
            denied = list(dict.fromkeys(_denied(client, f"{PREFIX}check:{uuid.uuid4().hex}")))
    except (redis.RedisError, OSError, ValueError) as error:
        return advice("REDIS_URL", error)
    if denied:
        return f"REDIS_URL: {'; '.join(denied)}: `python -m broker.check --acl USER` prints what the user needs"
    return None


def _denied(client: redis.Redis, key: str) -> Iterator[str]:
    """What the server says of each thing that the user may not do."""
    asked: list[tuple[str | int, ...]] = [
        ("LPUSH", key, "1"), ("RPUSH", key, "1"), ("LLEN", key), ("RPOP", key), ("BRPOP", key, 1), ("SET", key, "1"),
        ("GET", key), ("EXISTS", key), ("PEXPIRE", key, 10_000), ("PTTL", key), ("INCRBY", key, 1), ("TIME",),
        ("SADD", key, "1"), ("SMEMBERS", key), ("SREM", key, "1"), ("HSET", key, "1", "1"), ("HGET", key, "1"),
        ("HDEL", key, "1"), ("ZADD", key, 1, "1"), ("ZRANGE", key, 0, 1), ("ZRANGEBYSCORE", key, 0, 1),
        ("ZREVRANGEBYSCORE", key, 1, 0), ("ZREM", key, "1"), ("WATCH", key), ("UNWATCH",), ("MULTI",), ("EXEC",),
        ("EVAL", "return 1", 0), ("EVALSHA", "0" * 40, 0), ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "EXISTS", "0"),
        ("PUBLISH", CHANNELS[1].replace("*", "check"), "{}"), ("DEL", key),
    ]  # fmt: skip
    with client.client() as one:  # a transaction is of one connection
        for command in asked:
            try:
                one.execute_command(*command)
            except NoPermissionError as error:
                yield str(error)
            except redis.ResponseError:
                continue  # allowed, but not like this
    for channel in CHANNELS:
        try:
            with client.pubsub() as listening:
                listening.psubscribe(channel)
                listening.get_message(timeout=1)
        except NoPermissionError as error:
            yield f"{error} ({channel})"


SERVERS = {"database": database, "redis": broker}


def tell(settings: BrokerSettings, only: str | None = None) -> bool:
    """Logs what is wrong; whether nothing is."""
    wrong = [said for name, look in SERVERS.items() if only in (None, name) and (said := look(settings))]
    for each in wrong:
        log.error("%s", each)
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m broker.check", description=__doc__)
    parser.add_argument("--acl", metavar="USER", help="print the line that makes a user of Redis or Valkey")
    parser.add_argument("--grants", metavar="USER", help="print the statements that let a user of PostgreSQL in")
    parser.add_argument("--only", choices=SERVERS, help="look at one of the two")
    told = parser.parse_args()
    if told.acl or told.grants:
        sys.stdout.write("\n".join([acl(told.acl)] * bool(told.acl) + [grants(told.grants)] * bool(told.grants)) + "\n")
        return
    logging.basicConfig(level="ERROR", format="%(message)s")
    try:
        settings = BrokerSettings()
    except ValidationError as error:
        sys.exit(str(error))
    sys.exit(0 if tell(settings, told.only) else 1)


if __name__ == "__main__":
    main()

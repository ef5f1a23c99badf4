"""A client of a Pact Broker."""

from broker.client.exchange import ACCEPT, Answer
from broker.client.session import BrokerClient
from broker.http.access import BrokerAccess
from broker.http.errors import BrokerError, BrokerRefused, BrokerUnreachable, NotFound, UnexpectedAnswer
from broker.http.strict_json import MAX_BYTES

__all__ = [
    "ACCEPT",
    "MAX_BYTES",
    "Answer",
    "BrokerAccess",
    "BrokerClient",
    "BrokerError",
    "BrokerRefused",
    "BrokerUnreachable",
    "NotFound",
    "UnexpectedAnswer",
]

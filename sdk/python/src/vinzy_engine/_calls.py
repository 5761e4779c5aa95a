"""Requests as values: what to send and how to read the answer. Nothing here sends anything."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Generic, Optional, TypeVar, Union
from urllib.parse import quote

from .errors import ApiError, FieldError, UnexpectedAnswerError, api_error
from .results import (
    ActivateResult,
    Agent,
    ComposedEntitlements,
    ComposedFeature,
    ComposedSource,
    DeactivateResult,
    Entitlement,
    HeartbeatResult,
    License,
    RecordUsageResult,
    ValidateAgentResult,
    ValidateResult,
)

T = TypeVar("T")
Amount = Union[int, float, Decimal, str]
"""How much: a number, or a decimal of which every digit counts."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a server answered; names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request whose answer is a `T`. It may be sent again as it is."""

    method: str
    path: str
    read: Callable[[Answer], T] = field(repr=False)
    body: Optional[bytes] = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def validate(key: str, fingerprint: Optional[str]) -> Call[ValidateResult]:
    return _post("/validate", {"key": key, "fingerprint": fingerprint}, _validate_result)


def validate_agent(key: str, agent_code: str) -> Call[ValidateAgentResult]:
    return _post("/validate/agent", {"key": key, "agent_code": agent_code}, _validate_agent_result)


def activate(
    key: str,
    fingerprint: str,
    hostname: Optional[str],
    platform: Optional[str],
    metadata: Optional[Mapping[str, Any]],
    idempotency_key: Optional[str],
) -> Call[ActivateResult]:
    body = {
        "key": key,
        "fingerprint": fingerprint,
        "hostname": hostname,
        "platform": platform,
        "metadata": None if metadata is None else dict(metadata),
    }
    return _post("/activate", body, _activate_result, _once(idempotency_key))


def deactivate(key: str, fingerprint: str, idempotency_key: Optional[str]) -> Call[DeactivateResult]:
    body = {"key": key, "fingerprint": fingerprint}
    return _post("/deactivate", body, _deactivate_result, _once(idempotency_key))


def heartbeat(key: str, fingerprint: str, version: Optional[str]) -> Call[HeartbeatResult]:
    body = {"key": key, "fingerprint": fingerprint, "version": version}
    # No idempotency key, which the server would have to remember for ever: a second heartbeat does no harm.
    return _post("/heartbeat", body, _heartbeat_result)


def record_usage(
    key: str,
    metric: str,
    value: Amount,
    metadata: Optional[Mapping[str, Any]],
    idempotency_key: Optional[str],
) -> Call[RecordUsageResult]:
    body = {
        "key": key,
        "metric": metric,
        # As text a decimal keeps its digits.
        "value": format(value, "f") if isinstance(value, Decimal) else value,
        "metadata": None if metadata is None else dict(metadata),
    }
    return _post("/usage/record", body, _record_usage_result, _once(idempotency_key))


def composed_entitlements(customer_id: str, api_key: Optional[str]) -> Call[ComposedEntitlements]:
    path = "/entitlements/composed/" + quote(customer_id, safe="")
    headers = {} if api_key is None else {"x-vinzy-api-key": api_key}
    return Call("GET", path, _composed_entitlements, headers=headers)


def jwks() -> Call[Json]:
    return Call("GET", "/.well-known/jwks.json", _content)


def header_text(name: str, text: str) -> str:
    """Text that may stand in a header. HTTP libraries would show one that may not in their errors."""
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError(f"{name} must be printable ASCII")
    return text


def _post(path: str, body: Json, read: Callable[[Answer], T], headers: Optional[dict[str, str]] = None) -> Call[T]:
    """What is `None` is left out."""
    given = {name: value for name, value in body.items() if value is not None}
    text = json.dumps(given, allow_nan=False, separators=(",", ":"))
    return Call("POST", path, read, text.encode(), {"content-type": "application/json", **(headers or {})})


def _once(idempotency_key: Optional[str]) -> dict[str, str]:
    """Has the server do it once, however often it is sent."""
    key = str(uuid.uuid4()) if idempotency_key is None else header_text("idempotency_key", idempotency_key)
    return {"idempotency-key": key}


def _content(answer: Answer) -> Json:
    """The body of an answer that is no refusal."""
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        content = None
    if answer.status >= 400:
        raise _refusal(answer, content if isinstance(content, dict) else {})
    if not 200 <= answer.status < 300 or not isinstance(content, dict):
        raise UnexpectedAnswerError(f"what answered with status {answer.status} is no Vinzy server")
    return content


def _refusal(answer: Answer, problem: Json) -> ApiError:
    detail, errors = problem.get("detail"), problem.get("errors")
    return api_error(
        answer.status,
        code=str(problem.get("code", "")),
        title=str(problem.get("title", "")),
        detail=detail if isinstance(detail, str) else "",
        request_id=str(problem.get("request_id") or answer.headers.get("x-request-id", "")),
        errors=[
            FieldError(str(error.get("field", "")), str(error.get("message", "")))
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, dict)
        ],
        retry_after=retry_after(answer),
        problem=problem,
    )


def retry_after(answer: Answer) -> Optional[float]:
    """Seconds after which to come again: `Retry-After`, in seconds or as a date."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        sent = parsedate_to_datetime(answer.headers.get("date", ""))
        return max(0.0, (at - sent).total_seconds())
    except (TypeError, ValueError):
        return None


def _field(content: Json, name: str, kind: type[T]) -> T:
    value = content.get(name)
    if not isinstance(value, kind):
        raise UnexpectedAnswerError(f"the answer has no {name}")
    return value


def _deactivate_result(answer: Answer) -> DeactivateResult:
    content = _content(answer)
    return DeactivateResult(_field(content, "success", bool), content.get("code", ""), content.get("message", ""))


def _heartbeat_result(answer: Answer) -> HeartbeatResult:
    content = _content(answer)
    return HeartbeatResult(_field(content, "success", bool), content.get("code", ""), content.get("message", ""))


def _validate_result(answer: Answer) -> ValidateResult:
    content = _content(answer)
    license_ = _license(content)
    return ValidateResult(
        valid=_field(content, "valid", bool),
        code=content.get("code", ""),
        message=content.get("message", ""),
        license=license_,
        features=content.get("features", []),
        entitlements=entitlements(content),
        agents=agents(content),
        lease=content.get("lease"),
        tier=license_.tier if license_ else "",
    )


def _activate_result(answer: Answer) -> ActivateResult:
    content = _content(answer)
    return ActivateResult(
        success=_field(content, "success", bool),
        machine_id=content.get("machine_id"),
        code=content.get("code", ""),
        message=content.get("message", ""),
        license=_license(content),
    )


def _record_usage_result(answer: Answer) -> RecordUsageResult:
    content = _content(answer)

    def amount(name: str) -> Optional[float]:
        value = content.get(name)
        return None if value is None else float(value)

    return RecordUsageResult(
        success=_field(content, "success", bool),
        metric=content.get("metric", ""),
        value_added=amount("value_added") or 0.0,
        total_value=amount("total_value") or 0.0,
        limit=amount("limit"),
        remaining=amount("remaining"),
        code=content.get("code", ""),
        message=content.get("message", ""),
        period=content.get("period"),
    )


def _validate_agent_result(answer: Answer) -> ValidateAgentResult:
    content = _content(answer)
    return ValidateAgentResult(
        valid=_field(content, "valid", bool),
        code=content.get("code", ""),
        message=content.get("message", ""),
        agent_code=content.get("agent_code", ""),
        enabled=content.get("enabled", False),
        token_limit=content.get("token_limit"),
        model_tier=content.get("model_tier"),
        tokens_used=content.get("tokens_used"),
        tokens_remaining=content.get("tokens_remaining"),
    )


def _composed_entitlements(answer: Answer) -> ComposedEntitlements:
    content = _content(answer)
    return ComposedEntitlements(
        customer_id=content["customer_id"],
        total_products=content["total_products"],
        features=[
            ComposedFeature(
                feature=feature["feature"],
                effective_value=feature["effective_value"],
                strategy=feature["strategy"],
                sources=[
                    ComposedSource(source["product_code"], source["license_id"], source["value"])
                    for source in feature["sources"]
                ],
            )
            for feature in content["features"]
        ],
        agents=content["agents"],
    )


def _license(content: Json) -> Optional[License]:
    license_ = content.get("license")
    if license_ is None:
        return None
    return License(
        id=license_["id"],
        key=license_["key"],
        status=license_["status"],
        product_code=license_["product_code"],
        customer_id=license_["customer_id"],
        tier=license_["tier"],
        machines_limit=license_["machines_limit"],
        machines_used=license_["machines_used"],
        expires_at=moment(license_["expires_at"]),
        features=license_["features"],
        entitlements=license_["entitlements"],
        metadata=license_["metadata"],
    )


def entitlements(content: Json) -> list[Entitlement]:
    """Those of an answer, or of a lease."""
    return [
        Entitlement(
            feature=entitlement["feature"],
            enabled=entitlement["enabled"],
            limit=entitlement.get("limit"),
            used=entitlement.get("used", 0),
            remaining=entitlement.get("remaining"),
        )
        for entitlement in content.get("entitlements", [])
    ]


def agents(content: Json) -> list[Agent]:
    """Those of an answer, or of a lease."""
    return [
        Agent(
            agent_code=agent["agent_code"],
            enabled=agent["enabled"],
            token_limit=agent.get("token_limit"),
            model_tier=agent.get("model_tier"),
        )
        for agent in content.get("agents", [])
    ]


def moment(text: Optional[str]) -> Optional[datetime]:
    """A time as the server writes it, in UTC."""
    # Before Python 3.11 `fromisoformat` knows no `Z`.
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)

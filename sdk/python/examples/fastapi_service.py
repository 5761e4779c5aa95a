"""A web service whose customers show their license key with each request.

VINZY_SERVER=https://licenses.example.com uvicorn --factory fastapi_service:service
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Callable

from fastapi import Depends, FastAPI, Header, HTTPException, Request

from vinzy_engine import AsyncLicenseClient, ValidateResult

LicenseKey = Annotated[str, Header(alias="X-License-Key")]


def client_of(request: Request) -> AsyncLicenseClient:
    client: AsyncLicenseClient = request.app.state.licenses
    return client


Client = Annotated[AsyncLicenseClient, Depends(client_of)]


def licensed(feature: str) -> Callable[..., Awaitable[ValidateResult]]:
    """Lets those in whose license includes a feature. Good answers are remembered for a minute."""

    async def guard(client: Client, key: LicenseKey) -> ValidateResult:
        license_ = await client.validate(key)
        if not license_.valid:
            raise HTTPException(401, {"code": license_.code, "message": license_.message})
        if feature not in license_.features:
            raise HTTPException(403, {"code": "FEATURE_MISSING", "message": f"The license does not include {feature}"})
        return license_

    return guard


def service(server_url: str = "") -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncLicenseClient(server_url or os.environ["VINZY_SERVER"]) as client:
            app.state.licenses = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/reports/{name}")
    async def report(name: str, license_: Annotated[ValidateResult, Depends(licensed("export"))]) -> dict[str, str]:
        return {"report": name, "tier": license_.tier}

    @app.post("/calls")
    async def call(
        client: Client,
        key: LicenseKey,
        _: Annotated[ValidateResult, Depends(licensed("api_calls"))],
    ) -> dict[str, Any]:
        counted = await client.record_usage("api_calls", key=key)
        if not counted.success:
            raise HTTPException(429, {"code": counted.code, "message": counted.message})
        return {"remaining": counted.remaining}

    return app

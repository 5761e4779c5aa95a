"""An AI agent that works within a budget of tokens: the server counts, and never lets the limit be passed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Callable

from vinzy_engine import AsyncLicenseClient


class OutOfTokensError(Exception):
    """The agent may not go on: it is off, or its budget is used up."""


@dataclass(frozen=True)
class Completion:
    """What a model answers, and what that cost."""

    text: str
    tokens: int


Model = Callable[[str], Awaitable[Completion]]


@dataclass
class MeteredAgent:
    client: AsyncLicenseClient
    code: str
    model: Model
    answers: list[str] = field(default_factory=list)

    async def ask(self, task_id: str, prompt: str) -> str:
        """Answers a prompt and records its tokens. Asking again under the same `task_id` is not counted twice."""
        allowed = await self.client.validate_agent(self.code)
        if not allowed.valid or allowed.tokens_remaining == 0:
            raise OutOfTokensError(allowed.message)
        completion = await self.model(prompt)
        recorded = await self.client.record_usage(
            f"agent.{self.code}.tokens",
            completion.tokens,
            idempotency_key=f"{self.code}-{task_id}",
        )
        if not recorded.success:
            # It cost more than was left: what cannot be counted is not handed out.
            raise OutOfTokensError(f"{completion.tokens} tokens, {recorded.remaining} left")
        self.answers.append(completion.text)
        return completion.text


async def echo(prompt: str) -> Completion:
    """Stands for a model."""
    return Completion(prompt.upper(), tokens=len(prompt))


async def main() -> None:
    async with AsyncLicenseClient(os.environ["VINZY_SERVER"], os.environ["VINZY_LICENSE"]) as client:
        agent = MeteredAgent(client, "CTO", echo)
        print(await agent.ask("1", "what is next?"))


if __name__ == "__main__":
    asyncio.run(main())

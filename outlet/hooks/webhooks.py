"""Everything a process of the outlet has for webhooks: what is kept, who is reached, and who sends."""

from __future__ import annotations

from chassis.running.clock import Clock
from chassis.running.mongo import Database, Document
from outlet.hearing import Hearing
from outlet.hooks.delivering import Delivering
from outlet.hooks.keeping import Keeping
from outlet.hooks.reaching import Endpoints
from outlet.hooks.sending import Sender
from outlet.hooks.signing import Sealing
from outlet.pages import Pages
from outlet.settings import ALL, Settings


class Webhooks:
    """What answers and sends for webhooks. `plain` says that endpoints may be http."""

    def __init__(self, settings: Settings, pages: Pages, hearing: Hearing) -> None:
        self._settings = settings
        self.now = now = Clock(settings.clock_file).now
        self.plain = settings.webhook_plain
        self.database = Database(settings.mongo, settings.mongo_database)
        self.keeping = Keeping(self.database)
        self.sealing = Sealing(settings.content_key)
        self.endpoints = Endpoints(settings.webhook_networks, plain=self.plain)

        def sender_of(webhook: Document) -> Sender:
            return Sender(webhook, self.keeping, pages, hearing, self.endpoints, self.sealing, settings.cursor_key, now)

        self.delivering = Delivering(self.database, self.keeping, sender_of, self.allowed)

    def allowed(self, webhook: Document) -> bool:
        """Whether its owner may hear what it is for."""
        programs = self._settings.subscribers.get(webhook["subject"], frozenset())
        return ALL in programs or (webhook["programs"] is not None and set(webhook["programs"]) <= programs)

    async def close(self) -> None:
        """Disconnect."""
        await self.endpoints.close()
        await self.database.close()

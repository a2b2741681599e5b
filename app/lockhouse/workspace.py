"""Every service of one home, built once for the window or the command that was started.

The only place that knows how the parts fit together; nothing here does work of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lockhouse.answer.local import LoadPlanner, LocalTargets
from lockhouse.answer.model_hashes import ModelHashes
from lockhouse.answer.permission import Permissions
from lockhouse.answer.registry import TargetRegistry
from lockhouse.answer.session import Answers
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.turns import Turns
from lockhouse.core.errors import StorageError
from lockhouse.engine.answer_forms import AnswerForms
from lockhouse.engine.checkup import EngineCheckup
from lockhouse.engine.planning import Planner
from lockhouse.engine.pool import EnginePool
from lockhouse.gate.broker_launch import inherited_channel
from lockhouse.gate.client import GateClient
from lockhouse.gate.network import Network, hub_hosts
from lockhouse.gate.providers import Providers
from lockhouse.gate.running_brokers import Brokers
from lockhouse.library.fit import machine_now
from lockhouse.library.models import Models
from lockhouse.library.starter import starter_model
from lockhouse.places import Paths, close_to_others, paths_for, with_writable_run
from lockhouse.storage.database import Database
from lockhouse.storage.settings import Settings, SettingsFile

if TYPE_CHECKING:
    from lockhouse.answer.remote_targets import RemoteTargets
    from lockhouse.gate.consents import Consents
    from lockhouse.gate.costs.budget import Budget
    from lockhouse.gate.hub import Hub
    from lockhouse.gate.sent_requests import Sent
    from lockhouse.library.transfers import Transfers

__all__ = ["Paths", "Workspace", "open_workspace", "paths_for"]


class Workspace:
    """The services of one home. Close it at the end; engines stay for their idle time."""

    def __init__(self, paths: Paths, overrides: Mapping[str, str | int | float | bool]) -> None:
        """Raises StorageError when the database cannot be used."""
        self.paths = paths
        close_to_others(paths)
        self._overrides = dict(overrides)
        self.settings_file = SettingsFile(paths.settings)
        self.settings: Settings = self.settings_file.load(overrides=overrides)
        self.database = Database(paths.database, backups=paths.backups)
        network = Network(paths.network)
        self.gate = GateClient(network, self.database, inherited_channel(), Brokers(paths.run))
        starter = starter_model()
        self.models = Models(self.database, paths.models, starter)
        self.checkup = EngineCheckup(paths.cache)
        engine_paths = with_writable_run(paths)
        self.engines = EnginePool(
            engine_paths.run,
            engine_paths.logs,
            idle_s=self.settings.engine_idle_s,
            plan=LoadPlanner(self.checkup, starter, lambda: machine_now(self.engines)),
        )
        self.planner = Planner()
        self.providers = Providers(self.database)
        self.conversations = Conversations(self.database)
        self.hashes = ModelHashes(self.models, self.conversations.add_model_hash)
        self.forms = AnswerForms()
        local = LocalTargets(
            self.models, self.engines, self.hashes, lambda: self.settings, self.forms
        )
        self.targets = TargetRegistry(
            local, self.providers, lambda: self.remotes, lambda: self.settings.default_target
        )
        permissions = Permissions(self.providers, lambda: self.consents, lambda: self.budget)
        self.answers = Answers(self.targets, permissions, self.forms)
        self.turns = Turns(self.conversations, self.answers, lambda: self.settings)
        self.conversations.recover()  # answers whose writer was killed are marked as cut

    @cached_property
    def hub(self) -> Hub:
        """Where models come from; made when it is first wanted, as most commands never do."""
        from lockhouse.gate.hub import Hub

        return Hub(self.gate)

    @cached_property
    def consents(self) -> Consents:
        """Which providers may be sent something; this and what follows for remote targets."""
        from lockhouse.gate.consents import Consents

        return Consents(self.database)

    @cached_property
    def sent(self) -> Sent:
        """What was sent, byte for byte."""
        from lockhouse.gate.sent_requests import Sent

        return Sent(self.database)

    @cached_property
    def budget(self) -> Budget:
        """Prices, limits, and what was spent."""
        from lockhouse.gate.costs.budget import Budget, limits_in
        from lockhouse.gate.costs.prices import PriceList

        file, overrides = SettingsFile(self.paths.settings), self._overrides
        return Budget(self.database, lambda: limits_in(file, overrides), PriceList(self.database))

    @cached_property
    def remotes(self) -> RemoteTargets:
        """The models of all providers."""
        from lockhouse.answer.load_balancer import LoadBalancer, ServerLock
        from lockhouse.answer.remote_targets import RemoteTargets

        return RemoteTargets(
            self.gate,
            self.providers,
            self.sent,
            self.budget,
            most_tokens=lambda: self.settings.api_max_tokens,
            balancer=LoadBalancer(server_lock=ServerLock(self.paths.run / "servers")),
        )

    @cached_property
    def transfers(self) -> Transfers:
        """The queue of downloads, likewise."""
        from lockhouse.library.transfers import Transfers

        return Transfers(
            self.database,
            self.hub,
            self.models,
            reaches_hub=self._reaches_hub,
        )

    def _reaches_hub(self) -> bool:
        """Whether network access includes the hub, or the mirror that is set for it."""
        endpoint = self.gate.state.endpoint or os.environ.get("HF_ENDPOINT", "")
        return self.gate.way_to(hub_hosts({"HF_ENDPOINT": endpoint})) == "open"

    def save_settings(self, **changes: object) -> Settings:
        """Change settings, for this program and the next start."""
        settings = dataclasses.replace(self.settings, **changes)  # type: ignore[arg-type] # checked by save
        self.settings_file.save(settings)
        self.settings = settings
        self.engines.idle_s = settings.engine_idle_s
        return settings

    def reload_settings(self) -> Settings:
        """Take up what another program wrote to the settings."""
        self.settings = self.settings_file.load(overrides=self._overrides)
        self.engines.idle_s = self.settings.engine_idle_s
        return self.settings

    def close(self, *, within_s: float | None = None) -> None:
        """Stop what runs in the background, then close the database.

        ``within_s`` limits the wait for a download on a disk that hangs, or for a process that
        does not answer: what is not over by then ends with this program.
        """
        stop = threading.Thread(target=self._stop_services, name="close", daemon=True)
        stop.start()
        stop.join(within_s)
        self.database.close()

    def _stop_services(self) -> None:
        with contextlib.suppress(StorageError):  # the database may be closed by now
            self.engines.close()
            self.hashes.close()
            if "transfers" in self.__dict__:
                self.transfers.close()
            self.planner.close()
            self.forms.close()


def open_workspace(
    home: Path | None = None, *, overrides: Mapping[str, str | int | float | bool] | None = None
) -> Workspace:
    """Open the home that was asked for."""
    return Workspace(paths_for(home), overrides or {})

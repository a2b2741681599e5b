"""The Gate page: the banner, the records, and the cards beside them."""

from __future__ import annotations

import itertools
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QWidget

from lockhouse import seal
from lockhouse.core.errors import LockhouseError
from lockhouse.gate.costs.budget import Subject
from lockhouse.gate.proof import Proof
from lockhouse.ui.error_views import BannerStack
from lockhouse.ui.frame_parts import label, push_button, scrolling
from lockhouse.ui.gate.banner import GateBanner
from lockhouse.ui.gate.card import Card
from lockhouse.ui.gate.controller import GateController, Spending
from lockhouse.ui.gate.price_dialog import ModelPrice, PriceDialog
from lockhouse.ui.gate.proof_card import ProofCard
from lockhouse.ui.gate.provider_dialogs import ProviderDialogs
from lockhouse.ui.gate.providers_card import ProvidersCard
from lockhouse.ui.gate.records_card import RecordsCard
from lockhouse.ui.gate.spending_card import SpendingCard
from lockhouse.ui.layouts import STRETCH, column, holding, row
from lockhouse.ui.network_monitor import NetworkMonitor, NetworkView
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.ui.toast import Toast

_HEAD_HEIGHT = 48
_STACKED_RECORDS = 440
# How wide the cards are in a page of less than this width; below the first they are stacked.
_SIDE_WIDTHS = ((760, 0), (900, 232), (1000, 288))
_SIDE_WIDTH = 336


class GatePage(QWidget):
    """Lays its parts out and connects them with their controllers."""

    open_wanted = Signal(str)  # the provider, or empty
    quit_wanted = Signal()

    def __init__(
        self,
        controller: GateController,
        network: NetworkMonitor,
        settings: SettingsStore,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._network = network
        self._settings = settings
        self._theme = theme
        self._side_width = -1
        self._scale = theme.scale
        self.setObjectName("gate_page")
        self.banner = GateBanner(theme, seal.state())
        self.records = RecordsCard(controller.records, theme)
        self.dialogs = ProviderDialogs(controller.providers, network, theme, self)
        self.providers = ProvidersCard(theme, self.dialogs)
        self.spending = SpendingCard(theme)
        self.proof = ProofCard(theme)
        self.banners = BannerStack(theme)
        self._lay_out()
        self.toast = Toast(theme, self)
        self._wire()
        theme.changed.connect(self._rescale)
        self.show_network(network.view)

    # laying out

    def _lay_out(self) -> None:
        cards = (self.providers, self.proof, self.spending)
        side = column(self._theme, *cards, STRETCH, gap=16, margins=(0, 16, 4, 16))
        self._side = holding(side)
        self._side_area = scrolling(self._side, "gate_side")
        self._records_part = holding(column(self._theme, self.records, margins=(0, 16)))
        self._columns = row(self._theme, gap=16, margins=(16, 0, 12, 0))
        self._area = scrolling(holding(self._columns), "gate_area")
        self._head = self._make_head()
        column(self._theme, self._head, self.banner, self.banners, (self._area, 1), on=self)
        self._arrange(_SIDE_WIDTH)

    def _make_head(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        head = QFrame()
        head.setProperty("line", "bottom")
        head.setFixedHeight(px(_HEAD_HEIGHT))
        self._claims = push_button(
            theme, "What is guaranteed", self.show_claims,
            name="gate_claims", kind="quiet", compact=True,
        )  # fmt: skip
        title = label("Gate", role="page-title")
        row(theme, title, STRETCH, self._claims, margins=(16, 0), on=head)
        return head

    def _arrange(self, side_width: int) -> None:
        """Records and cards side by side, or one above the other where the width is 0."""
        if side_width == self._side_width:
            return
        self._side_width = side_width
        px, is_stacked = self._theme.px, side_width == 0
        for part in (self._records_part, self._side, self._side_area):
            self._columns.removeWidget(part)
        if is_stacked:
            self._side_area.takeWidget()
            self._side_area.setParent(None)
        else:
            self._side_area.setWidget(self._side)
            self._side_area.setFixedWidth(px(side_width + 12))
        side: QWidget = self._side if is_stacked else self._side_area
        direction = QBoxLayout.Direction
        self._columns.setDirection(direction.TopToBottom if is_stacked else direction.LeftToRight)
        self._columns.addWidget(self._records_part, 1)
        self._columns.addWidget(side)
        self._records_part.setMinimumHeight(px(_STACKED_RECORDS) if is_stacked else 0)
        side.show()
        self._side.show()
        self.providers.show_narrow(narrow=0 < side_width < _SIDE_WIDTH)

    def _fit(self) -> None:
        wide = self.width() / self._theme.scale
        fitting = (width for below, width in _SIDE_WIDTHS if wide < below)
        self._arrange(next(fitting, _SIDE_WIDTH))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _rescale(self) -> None:
        if self._scale != self._theme.scale:
            self._scale = self._theme.scale
            self._head.setFixedHeight(self._theme.px(_HEAD_HEIGHT))
            self._side_width = -1
            self._fit()

    # wiring

    def _wire(self) -> None:
        its, network, providers = self._controller, self._network, self.providers
        network.changed.connect(self.show_network)
        network.failed.connect(self.show_error)
        its.failed.connect(self.show_error)
        its.records.activity_read.connect(self.banner.show_activity)
        its.records.activity_read.connect(lambda _: self._read_spending())
        self.records.notified.connect(self.toast.say)
        self.banner.open_wanted.connect(lambda: self.open_wanted.emit(""))
        self.banner.seal_wanted.connect(network.seal)
        self.banner.quit_wanted.connect(self.quit_wanted)
        its.providers.listed.connect(providers.show_rows)
        if its.providers.rows:
            providers.show_rows(its.providers.rows)
        its.providers.notified.connect(self.toast.say)
        its.providers.tested.connect(self.dialogs.show_tested)
        self.dialogs.asked.connect(lambda name: providers.show_busy(name, busy=True))
        its.providers.answered.connect(lambda name: providers.show_busy(name, busy=False))
        self.dialogs.notified.connect(self.toast.say)
        self.dialogs.failed.connect(self.banners.say)
        providers.open_wanted.connect(self.open_wanted)
        providers.stop_wanted.connect(its.providers.stop)
        self.spending.by_chosen.connect(lambda _: self._read_spending())
        self.spending.price_wanted.connect(lambda: its.read_prices(self._ask_price))
        its.price_changed.connect(self._read_spending)
        self.spending.limit_changed.connect(self._settings.set)
        self._settings.changed.connect(lambda _: self._read_spending())
        self.proof.prove_wanted.connect(self.prove)
        self.proof.save_wanted.connect(self._save_report)
        for card in (providers, self.proof):
            card.rebuilt.connect(self._order_tabs)
        self._order_tabs()

    def _order_tabs(self) -> None:
        """Tab visits the controls in reading order, whenever they were made."""
        parts = (self.banner, self.records, self.providers, self.proof, self.spending)
        controls = [self._claims, *(one for part in parts for one in _controls(part))]
        for before, after in itertools.pairwise(controls):
            QWidget.setTabOrder(before, after)

    # what it shows

    def show_network(self, view: NetworkView) -> None:
        """Network access has changed."""
        self.banner.show_network(view)
        self.providers.show_network(view)
        self._controller.providers.follow(view)
        if self.isVisible():
            self._controller.records.look()

    def show_error(self, error: LockhouseError) -> None:
        """Show what went wrong."""
        self.banners.say(error.message, error.hint)

    def show_claims(self) -> None:
        """Show what is guaranteed, and what is not."""
        from lockhouse.ui.gate.claims_dialog import ClaimsDialog

        try:
            ClaimsDialog(self._theme, self).show_once()
        except LockhouseError as error:
            self.show_error(error)

    def _ask_price(self, known: tuple[ModelPrice, ...]) -> None:
        dialog = PriceDialog(self._theme, known, self)
        dialog.price_given.connect(self._controller.set_price)
        dialog.removal_wanted.connect(self._controller.remove_price)
        dialog.show_once()

    def prove(self) -> None:
        """Try every way out, and show what stopped it."""
        self.proof.show_running()
        self._area.ensureWidgetVisible(self.proof)
        self._controller.prove(self._show_proof, self._show_failed_proof)

    def _show_proof(self, proof: Proof) -> None:
        self.proof.show_proof(proof)
        self._controller.records.look()

    def _show_failed_proof(self, error: LockhouseError) -> None:
        self.proof.show_failed()
        self.show_error(error)

    def _save_report(self, proof: Proof, path: Path) -> None:
        saved = f"Saved {path.name}"
        self._controller.save_report(proof, path, lambda: self.toast.say(saved))

    def _show_spending(self, spending: Spending) -> None:
        if spending.by == self.spending.by:
            self.spending.show_spending(spending)

    def _read_spending(self) -> None:
        by: Subject = self.spending.by  # type: ignore[assignment] # one of them
        self._controller.read_spending(by, self._show_spending)

    # while it is shown

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._controller.records.follow(shown=True)
        self._controller.providers.refresh()
        self._read_spending()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._controller.records.follow(shown=False)


def _controls(part: QWidget) -> list[QWidget]:
    """What Tab visits in a part: the head of a card comes before its rows."""
    reached = Qt.FocusPolicy.TabFocus
    found = [one for one in part.findChildren(QWidget) if one.focusPolicy() & reached]
    return sorted(found, key=lambda one: not (isinstance(part, Card) and part.is_in_head(one)))

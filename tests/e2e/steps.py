"""What a person does at a page, counted: a tap is one, a field filled is one."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Locator, Page


@dataclass
class Steps:
    page: Page
    count: int = 0

    def tap(self, what: Locator) -> None:
        self.count += 1
        what.click()

    def fill(self, what: Locator, text: str) -> None:
        self.count += 1
        what.fill(text)

    def choose(self, what: Locator, label: str) -> None:
        self.count += 1
        what.select_option(label=label)

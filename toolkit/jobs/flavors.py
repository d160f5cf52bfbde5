"""The kinds of machines that the Hub rents out for jobs: how many cards, what each holds, and how much disk there is.

From https://huggingface.co/docs/hub/jobs-configuration and jobs-pricing, as of 2026; `hf jobs hardware` lists what
there is today. A kind that is not here can be rented all the same, but nothing can be said about it before.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flavor:
    """One kind of machine."""

    cards: int  # 0 where it has none
    card_gb: int  # of one card, as on its label
    disk_gb: int

    @property
    def card_bytes(self) -> int:
        """Of one card, as on its label: cards of data centres count in powers of ten (22.0 GiB are an L4's 24 GB)."""
        return self.card_gb * 10**9

    @property
    def disk_bytes(self) -> int:
        return self.disk_gb * 10**9


# In the order of their price, those with one card first.
FLAVORS = {
    "t4-small": Flavor(1, 16, 50),
    "t4-medium": Flavor(1, 16, 100),
    "l4x1": Flavor(1, 24, 400),
    "a10g-small": Flavor(1, 24, 110),
    "a10g-large": Flavor(1, 24, 200),
    "l40sx1": Flavor(1, 48, 380),
    "a100-large": Flavor(1, 80, 1000),
    "rtx-pro-6000": Flavor(1, 96, 475),
    "h200": Flavor(1, 141, 3000),
    "a10g-largex2": Flavor(2, 24, 1000),
    "l4x4": Flavor(4, 24, 3200),
    "a10g-largex4": Flavor(4, 24, 2000),
    "rtx-pro-6000x2": Flavor(2, 96, 950),
    "l40sx4": Flavor(4, 48, 3200),
    "a100x4": Flavor(4, 80, 4000),
    "h200x2": Flavor(2, 141, 6000),
    "rtx-pro-6000x4": Flavor(4, 96, 1900),
    "h200x4": Flavor(4, 141, 12000),
    "a100x8": Flavor(8, 80, 8000),
    "rtx-pro-6000x8": Flavor(8, 96, 3800),
    "l40sx8": Flavor(8, 48, 6500),
    "h200x8": Flavor(8, 141, 24000),
    "cpu-basic": Flavor(0, 0, 50),
    "cpu-upgrade": Flavor(0, 0, 50),
    "cpu-xl": Flavor(0, 0, 1000),
    "cpu-performance": Flavor(0, 0, 1024),
}


def smallest_with(needed_bytes: int, disk_bytes: int) -> str | None:
    """The cheapest kind with one card on which so much can be used; None where there is none."""
    from toolkit.training.needs import usable_bytes

    return next(
        (
            name
            for name, flavor in FLAVORS.items()
            if flavor.cards == 1 and usable_bytes(flavor.card_bytes) >= needed_bytes and flavor.disk_bytes >= disk_bytes
        ),
        None,
    )

"""The energy that training takes, as codecarbon estimates it from the power of processor, memory and GPU."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self


class EnergyMeter:
    """Measures while the block runs; `kwh` stays None where codecarbon is not installed.

    The tracker is the offline one: it looks up no place and sends nothing. It wants a country for emissions, which are
    not used.
    """

    def __init__(self) -> None:
        self.kwh: float | None = None
        self._tracker: Any = None

    def __enter__(self) -> Self:
        try:
            from codecarbon import OfflineEmissionsTracker
        except ImportError:
            return self
        self._tracker = OfflineEmissionsTracker(
            country_iso_code="IDN", save_to_file=False, log_level="critical", allow_multiple_runs=True
        )
        self._tracker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracker is not None:
            self._tracker.stop()
            self.kwh = float(f"{self._tracker.final_emissions_data.energy_consumed:.3g}")

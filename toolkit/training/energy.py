"""The energy that training takes, as codecarbon estimates it from the power of processor, memory and GPU.

How much CO2 that energy stands for depends on where it was made. codecarbon knows the mix of each country, but which
country this machine is in only its owner can say: `CODECARBON_COUNTRY_ISO_CODE=IDN`, or `country_iso_code` in a
`.codecarbon.config`. Where nobody says, codecarbon takes the average of the world, and nothing is claimed here.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self


class EnergyMeter:
    """Measures while the block runs; `kwh` stays None where codecarbon is not installed.

    The tracker is the offline one: it looks up no place and sends nothing.
    """

    def __init__(self) -> None:
        self.kwh: float | None = None
        self.emissions_grams: float | None = None
        """Of CO2 equivalents; None where no country was named, or none that codecarbon knows."""
        self.country: str | None = None
        self._tracker: Any = None

    def __enter__(self) -> Self:
        try:
            from codecarbon import OfflineEmissionsTracker
        except ImportError:
            return self
        self._tracker = OfflineEmissionsTracker(save_to_file=False, log_level="critical", allow_multiple_runs=True)
        self._tracker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracker is not None:
            self._tracker.stop()
            found = self._tracker.final_emissions_data
            self.kwh = float(f"{found.energy_consumed:.3g}")
            if found.country_name:
                self.country = str(found.country_name)
                self.emissions_grams = float(f"{1000 * found.emissions:.3g}")

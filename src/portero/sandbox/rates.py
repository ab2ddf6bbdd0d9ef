"""Meta's ceilings on sending: per second and number, per pair, and new customers per day."""

from collections import OrderedDict
from dataclasses import dataclass, field

PER_SECOND = {"STANDARD": 80, "HIGH": 1_000}
TIERS: dict[str, int | None] = {
    "TIER_50": 50,
    "TIER_250": 250,
    "TIER_2K": 2_000,
    "TIER_10K": 10_000,
    "TIER_100K": 100_000,
    "TIER_UNLIMITED": None,
}

_PAIR_INTERVAL_S, _PAIR_BURST = 6.0, 45
_DAY_S = 24 * 3600.0
_SLACK_S = 0.001  # sums of floating-point times


@dataclass(slots=True)
class Rates:
    """What has been used. Keys are numbers, or number and customer; times are Unix seconds."""

    _due: dict[tuple[str, ...], float] = field(default_factory=dict)
    _begun: OrderedDict[str, float] = field(default_factory=OrderedDict)  # oldest first

    def pair_allows(self, number_id: str, customer: str, now: float) -> bool:
        """One message in six seconds between the two, 45 of them at once."""
        return self._take((number_id, customer), _PAIR_INTERVAL_S, _PAIR_BURST, now)

    def throughput_allows(self, number_id: str, level: str, now: float) -> bool:
        """80 messages a second, or 1,000 where the number was upgraded."""
        per_second = PER_SECOND.get(level, PER_SECOND["STANDARD"])
        return self._take((number_id,), 1 / per_second, per_second, now)

    def messaging_allows(self, customer: str, tier: str, now: float) -> bool:
        """Whether one more customer may be written to first within a rolling day."""
        ceiling = TIERS.get(tier)
        while self._begun and now - next(iter(self._begun.values())) >= _DAY_S:
            self._begun.popitem(last=False)
        if ceiling is not None and customer not in self._begun and len(self._begun) >= ceiling:
            return False
        self._begun[customer] = now
        self._begun.move_to_end(customer)
        return True

    def _take(self, key: tuple[str, ...], interval_s: float, burst: int, now: float) -> bool:
        """Generic cell rate: `_due` is when the used quota will have been paid back."""
        due = max(self._due.get(key, now), now)
        if due - now > interval_s * (burst - 1) + _SLACK_S:
            return False
        self._due[key] = due + interval_s
        return True

"""How the simulated platform behaves right now: everything that can be changed while it runs.

`SETTINGS` is the one list: each setting's JSON name, how its value is checked, its default. The
payload variants are those in which ACS's events have been seen to differ (docs/platform.md 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_Check = Callable[[Any], Any]


def _number(low: float, high: float) -> _Check:
    def check(value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return check


def _whole(low: int, high: int) -> _Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check


def _one_of(*choices: str) -> _Check:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004  # one error type for one setting
    return value


_DAY: Final = 86_400.0
SETTINGS: Final[dict[str, tuple[_Check, Any]]] = {
    # 0: repeatability ids are not remembered at all. ACS does not say how long it remembers them.
    "repeatabilitySeconds": (_number(0, 30 * _DAY), 300.0),
    # Whether a sender's messages a minute are a limit, answered with 429 and no Retry-After.
    "enforceRates": (_flag, False),
    "deliverySeconds": (_number(0, _DAY), 0.5),
    # A factor on Event Grid's retry ladder.
    "retryScale": (_number(0, 10), 1.0),
    "maxAttempts": (_whole(1, 30), 30),
    # How long a webhook may take to answer.
    "responseSeconds": (_number(0.05, 600), 30.0),
    "schema": (_one_of("eventGrid", "cloudEvents"), "eventGrid"),
    "casing": (_one_of("camel", "pascal"), "camel"),
    # documented: `to` of a report has a plus sign, every other number has none.
    "plus": (_one_of("documented", "both", "none"), "documented"),
    "tag": (_one_of("Tag", "tag", "absent"), "Tag"),
    # mixed: a sentence where a sentence is documented, else the form with ErrorCode.
    "details": (_one_of("sentence", "codeColon", "errorCode", "mixed"), "errorCode"),
    "fractionDigits": (_whole(0, 7), 7),
    "segmentCount": (_flag, True),
    "reportReceivedTimestamp": (_flag, True),
    # Some published CloudEvents samples spell it so.
    "specVersionTypo": (_flag, False),
}


class Behaviour:
    """The current settings; read by every part at the moment of use."""

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        self._initial = {name: default for name, (_, default) in SETTINGS.items()}
        self._values = dict(self._initial)
        self._delivery_of: dict[str, float] = {}
        self.change(initial or {})
        self._initial = dict(self._values)

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Change the named settings, all or none.

        Raises:
            ValueError: a sentence that names the setting at fault.
        """
        checked: dict[str, Any] = {}
        for name, value in wanted.items():
            if name not in SETTINGS:
                raise ValueError(f"{name}: is no setting; known are {', '.join(SETTINGS)}")
            try:
                checked[name] = SETTINGS[name][0](value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        self._values.update(checked)

    def change_of(self, number: str, delivery_seconds: Any) -> None:
        """Give a handset its own `deliverySeconds`; None takes them away.

        Raises:
            ValueError: a sentence that names the setting.
        """
        if delivery_seconds is None:
            self._delivery_of.pop(number, None)
            return
        try:
            self._delivery_of[number] = SETTINGS["deliverySeconds"][0](delivery_seconds)
        except ValueError as error:
            raise ValueError(f"deliverySeconds: {error}") from None

    def delivery_seconds(self, number: str) -> float:
        """From acceptance to this handset."""
        return float(self._delivery_of.get(number, self._values["deliverySeconds"]))

    def restore(self) -> None:
        """Go back to what the process was started with."""
        self._values = dict(self._initial)
        self._delivery_of.clear()

    def as_json(self) -> dict[str, Any]:
        """Every setting by its JSON name."""
        return dict(self._values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

"""What operators have said, which a master must not forget: held relays and revoked names.

Everything else a master knows comes back by itself within a heartbeat; an operator's word does not (D-04).
``Memory`` saves first and believes afterwards: if saving fails, nothing has changed and the caller hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from drills.reference.master.states import State


@dataclass(frozen=True)
class Hold:
    """A state that an operator gave a relay, and the endpoints it had."""

    state: State
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class Remembered:
    """All that survives a restart."""

    holds: Mapping[str, Hold] = field(default_factory=dict)  # by relay id
    revoked: frozenset[str] = frozenset()  # names, as `user_abcdefgh`


class NotSaved(Exception):
    """What an operator said could not be saved, so it does not hold."""


Save = Callable[[Remembered], None]


class Memory:
    """The current word of the operators, saved at each change; without ``save`` it lives as long as the process."""

    def __init__(
        self, remembered: Remembered | None = None, save: Save = lambda _: None, *, restarted: bool = False
    ) -> None:
        self._remembered = remembered or Remembered()
        self._save = save
        self.restarted = restarted  # only defects ask: a sound master does not care whether it ran before

    @property
    def holds(self) -> Mapping[str, Hold]:
        """The held relays by id."""
        return self._remembered.holds

    def is_revoked(self, name: str) -> bool:
        """Whether this name may no longer hold leases or sockets."""
        return name in self._remembered.revoked

    def hold(self, holds: Mapping[str, Hold]) -> None:
        """Put these holds in place of the present ones. Raises NotSaved, nothing changed."""
        self._become(replace(self._remembered, holds=dict(holds)))

    def revoke(self, name: str) -> None:
        """Revoke a name for good. Raises NotSaved, nothing changed."""
        self._become(replace(self._remembered, revoked=self._remembered.revoked | {name}))

    def _become(self, remembered: Remembered) -> None:
        if remembered != self._remembered:
            try:
                self._save(remembered)
            except OSError as error:
                raise NotSaved(f"cannot save the state file: {error.strerror}") from error
            self._remembered = remembered

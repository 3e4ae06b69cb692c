"""What a run of a chunk adds to what is known of it, so that the counts always add up to its list.

A chunk may be cut short, by a pause, a cancel or an error, and be run again, by the same process or
by another one. What has left in any of its runs stays counted, send by send, until a later run or
its reports know better. Only once every send of it has an answer is it done, and then everybody has
a count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from shared.base.errors import AnswerMissing, ParleyError, StillSending
from shared.campaigns.campaign import Chunk, Fate
from shared.messages.request import SendRequest
from shared.rules.message_states import State
from shared.sending.answers import Answer

CAPPED: Final = "capped"
_CAPPED_WHY: Final = "A campaign has texted this person within atMostOncePerHours."
_MOST_REASONS: Final = 20
# What a send came to in a run: an answer, an error, or nothing, because it was not begun.
Result = Answer | ParleyError | None


def after_run(
    known: Chunk, requests: Mapping[str, SendRequest], results: Mapping[str, Result]
) -> dict[str, Any]:
    """The members of a chunk's row that a run of it changes.

    Args:
        known: the chunk, as others may have left it meanwhile.
        requests: the sends of the run, by id: all of the chunk's, but those of whom everybody is
            held back by a cap.
        results: what became of them.

    Returns:
        `fate` and `errors` only where the chunk is done.
    """
    left = {**known.left}
    for send_id, result in results.items():
        if isinstance(result, Answer):
            left[send_id] = dict(Counter(str(item.state) for item in result.items))
        elif isinstance(result, AnswerMissing | StillSending):
            left.setdefault(send_id, in_doubt(requests[send_id]))
    counts = sum((Counter(of_send) for of_send in left.values()), Counter[str]())
    answers = [result for result in results.values() if isinstance(result, Answer)]
    members: dict[str, Any] = {"left": left, "sends": list(left), "settled": False}
    if len(answers) < len(results):
        return {**members, "counts": dict(counts)}
    errors = Counter(item.error for answer in answers for item in answer.items if item.error)
    # Whoever is in none of the sends was held back by a cap, in this run or in the one that made
    # the send.
    if capped := known.piece.recipients - counts.total():
        counts[CAPPED] += capped
        errors[_CAPPED_WHY] += capped
    return {
        **members,
        "fate": str(Fate.DONE),
        "counts": dict(counts),
        "errors": dict(errors.most_common(_MOST_REASONS)),
    }


def in_doubt(request: SendRequest) -> dict[str, int]:
    """The counts of a send of which it is not known what left, until its facts are looked at."""
    return {str(State.UNCERTAIN): len(request.addresses())}

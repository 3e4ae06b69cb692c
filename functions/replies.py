"""What a reply means: `POST /replies:read` explains any text."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face

blueprint = func.Blueprint()


@blueprint.route(route="replies:read", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def explain_reply(req: func.HttpRequest) -> func.HttpResponse:
    """How a text is read, and by which rule. Stores nothing, sends nothing."""

    async def answer() -> func.HttpResponse:
        from shared.rules.reading import read_reply  # noqa: PLC0415  # no other path needs it yet
        from shared.rules.reading.request import read_question  # noqa: PLC0415

        text, language = read_question(req.get_body())
        return json_answer(read_reply(text, language).to_json())

    return await own_face(req, answer)

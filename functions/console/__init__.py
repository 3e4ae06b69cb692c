"""The console: one page for people, a client of Parley's own face like any other.

The page and its files hold nothing secret, so anybody may have them; whoever opens the page has to
bring a function key, which stays in that tab. Only the files of a fixed list are served. The policy
sent with them lets nothing run, load or answer that is not Parley's own.
"""

from __future__ import annotations

from typing import Final

import azure.functions as func

from functions.console.files import FILES, PAGE, File, read
from shared.services import services

blueprint = func.Blueprint()

_NOTHING: Final = "'none'"


@blueprint.route(route="console", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def console(req: func.HttpRequest) -> func.HttpResponse:
    """The page."""
    if req.url.partition("?")[0].endswith("/"):
        # Its files are named relative to it, whatever stands before the path.
        return func.HttpResponse(status_code=308, headers={"Location": "../console"})
    return _answer(req, read(PAGE))


@blueprint.route(route="console/{file}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def console_file(req: func.HttpRequest) -> func.HttpResponse:
    """A script, a style, a licence."""
    name = req.route_params["file"]
    if name not in FILES or name == PAGE:
        return func.HttpResponse(status_code=404)
    return _answer(req, read(name))


def _answer(req: func.HttpRequest, file: File) -> func.HttpResponse:
    headers = {
        "Content-Security-Policy": policy(services().parts.settings.console_frame_ancestors),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
    }
    if file.etag in [tag.strip() for tag in req.headers.get("if-none-match", "").split(",")]:
        return func.HttpResponse(status_code=304, headers=headers)
    body = file.content
    if _takes_gzip(req.headers.get("accept-encoding", "")):
        body, headers["Content-Encoding"] = file.compressed, "gzip"
    return func.HttpResponse(body, headers=headers, mimetype=file.media_type)


def policy(frame_ancestors: tuple[str, ...]) -> str:
    """The Content-Security-Policy of everything that is served here."""
    return "; ".join(
        [
            f"default-src {_NOTHING}",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            f"form-action {_NOTHING}",
            f"base-uri {_NOTHING}",
            f"frame-ancestors {' '.join(frame_ancestors) or _NOTHING}",
        ]
    )


def _takes_gzip(accepted: str) -> bool:
    # RFC 9110, section 12.5.3: a weight of nought refuses.
    for choice in accepted.lower().split(","):
        coding, _, weight = choice.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False

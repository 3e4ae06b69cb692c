"""The app: builds `app` and registers the blueprints of `functions/`, nothing else."""

import azure.functions as func

from functions import (
    analytics,
    campaigns,
    console,
    conversations,
    delivery_report,
    health,
    inbound,
    messages,
    optouts,
    people,
    poison,
    quarantine,
    queues,
    replies,
    send,
    senders,
    upkeep,
)
from shared.azure import telemetry
from shared.settings import settings_of_this_app

# Settings that are missing or malformed stop the start here, with a message that names them.
telemetry.start(settings_of_this_app())

app = func.FunctionApp()
for module in (
    send,
    optouts,
    people,
    inbound,
    delivery_report,
    messages,
    conversations,
    campaigns,
    analytics,
    console,
    senders,
    replies,
    queues,
    poison,
    quarantine,
    health,
    upkeep,
):
    app.register_functions(module.blueprint)

"""Everything that talks to Azure: storage, ACS, Event Grid, the outgoing topic, telemetry."""

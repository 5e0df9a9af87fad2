"""How a service process lives: settings, connections, HTTP, callers, health, telemetry."""

"""From the journal to Kafka: the relay for facts, the latest document for state."""

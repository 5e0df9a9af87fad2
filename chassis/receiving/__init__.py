"""From Kafka to views and tasks: each fact takes effect once, whatever is repeated, lost or killed on the way."""

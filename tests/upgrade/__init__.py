"""An older release's processes beside today's, on one Kafka and one MongoDB, while the story goes on."""

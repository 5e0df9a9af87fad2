"""The outlet: hands public facts to systems without Kafka."""

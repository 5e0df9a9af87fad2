"""The embedded stack: a real mongod, a real Kafka and the services as child processes of one Python process."""

"""What tests of any service are written in."""

"""What stands in for Azure on one machine. Nothing here is deployed."""

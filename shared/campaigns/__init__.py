"""Bulk sends: recipient lists and texts with placeholders, read and filled without surprises."""
